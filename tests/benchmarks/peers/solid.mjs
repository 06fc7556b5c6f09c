// SPDX-License-Identifier: Apache-2.0
// Reads documents of a Community Solid Server as a service that their owner allowed to read them.
//
//     node solid.mjs BASE WARM_SECONDS SECONDS IN_FLIGHT
//
// Each reader has a document and a connection of its own. Prints one JSON object.
import http from 'node:http';

const [base, warmSeconds, seconds, inFlight] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const agent = new http.Agent({ keepAlive: true, maxSockets: inFlight });
const owner = 'https://id.example/mair';
const service = 'https://id.example/council';
const stranger = 'https://id.example/stranger';

function send(method, path, who, body = '', type = '') {
  const headers = { authorization: `WebID ${who}` };
  if (body) Object.assign(headers, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  return new Promise((resolve, reject) => {
    const request = http.request(base + path, { method, headers, agent }, (response) => {
      let length = 0;
      response.on('data', (chunk) => { length += chunk.length; });
      response.on('end', () => resolve({ status: response.statusCode, length }));
    });
    request.on('error', reject);
    request.end(body || undefined);
  });
}

async function must(expected, ...call) {
  const { status, length } = await send(...call);
  if (!expected.includes(status)) throw new Error(`${call[0]} ${call[1]}: ${status}`);
  return length;
}

const rules = (document) => `@prefix acl: <http://www.w3.org/ns/auth/acl#>.
<#owner> a acl:Authorization; acl:agent <${owner}>; acl:accessTo <./${document}>;
  acl:mode acl:Read, acl:Write, acl:Control.
<#service> a acl:Authorization; acl:agent <${service}>; acl:accessTo <./${document}>; acl:mode acl:Read.
`;

const evidence = JSON.stringify({ type: 'postal_address', more: 'x'.repeat(900) });
for (let number = 0; number < inFlight; number++) {
  const document = `e${number}.json`;
  await must([201, 205], 'PUT', `/people/${document}`, owner, evidence, 'application/json');
  await must([201, 205], 'PUT', `/people/${document}.acl`, owner, rules(document), 'text/turtle');
}
await must([403], 'GET', '/people/e0.json', stranger);

const opens = performance.now() + warmSeconds * 1000;
const closes = opens + seconds * 1000;
const latencies = [];

async function read(number) {
  for (let began = performance.now(); began < closes; began = performance.now()) {
    const length = await must([200], 'GET', `/people/e${number}.json`, service);
    if (length !== evidence.length) throw new Error(`${length} bytes came`);
    const ended = performance.now();
    if (ended >= opens && ended < closes) latencies.push(ended - began);
  }
}

await Promise.all(Array.from({ length: inFlight }, (_, number) => read(number)));
latencies.sort((one, other) => one - other);
console.log(JSON.stringify({
  rate: latencies.length / seconds,
  p50_ms: latencies[Math.floor(latencies.length / 2)],
  p99_ms: latencies[Math.floor(latencies.length * 0.99)],
}));
process.exit(0);
