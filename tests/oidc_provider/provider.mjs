// SPDX-License-Identifier: Apache-2.0
// An OpenID provider of others (certified by the OpenID Foundation), set up as a deployment would:
// access tokens are JWTs (RFC 9068) for the vault, signed with ES256, and name role and auth_time.
// It reads its clients' key as a line from stdin, writes its issuer as a line to stdout, and ends
// with stdin. Its pages are its own: any name signs in, with any password. Whoever is called by a
// UUID is a service, and by the name of a role has it; everybody else is a citizen.

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { randomBytes } from 'node:crypto';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

const RESOURCE = 'urn:citizen-vault';
const SCOPES = 'vault evidence consent disclosure audit registry';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const ROLES = ['official', 'auditor', 'operator'];
const RETURNS = ['http://localhost/signed-in', 'http://127.0.0.1/signed-in'];

const lines = createInterface({ input: process.stdin });
const told = JSON.parse(await new Promise((read) => lines.once('line', read)));
lines.once('close', () => process.exit(0));

const server = createServer();
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `http://localhost:${server.address().port}`;

const { privateKey } = await generateKeyPair('ES256', { extractable: true });
const key = { ...(await exportJWK(privateKey)), kid: 'of-the-provider', use: 'sig', alg: 'ES256' };

// A native program may come back to any port of this machine (RFC 8252 section 7.3).
const client = {
  application_type: 'native',
  grant_types: ['authorization_code'],
  response_types: ['code'],
  redirect_uris: RETURNS,
  post_logout_redirect_uris: ['http://localhost/'],
  id_token_signed_response_alg: 'ES256',
  require_auth_time: true,
};

function roleOf(name) {
  if (UUID.test(name)) return 'service';
  return ROLES.includes(name) ? name : 'citizen';
}

const provider = new Provider(issuer, {
  clients: [
    { ...client, client_id: 'pages', token_endpoint_auth_method: 'none' },
    {
      ...client,
      client_id: 'confidential',
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks: { keys: [told.client_key] },
    },
  ],
  jwks: { keys: [key] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  pkce: { required: () => true },
  findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  extraTokenClaims: (ctx, token) => ({
    roles: [roleOf(token.accountId)],
    auth_time: ctx.oidc.entities.AuthorizationCode?.authTime,
  }),
  features: {
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => RESOURCE,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: SCOPES,
        audience: 'citizen-vault',
        accessTokenFormat: 'jwt',
        accessTokenTTL: 600,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
  ttl: { Session: 3600, Grant: 3600, Interaction: 600, IdToken: 600 },
});

server.on('request', provider.callback());
console.log(JSON.stringify({ issuer }));
