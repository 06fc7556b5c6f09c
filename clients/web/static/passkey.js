// SPDX-License-Identifier: Apache-2.0
// Passkeys (W3C Web Authentication Level 3): the page says what is to be signed, in `data-`
// attributes; the answer goes into a hidden field of the form, which is then sent.
//
//   data-passkey="use"    data-challenge, data-rp-id, data-credentials (space between them)
//                         into [name=assertion]: what `clients/web/approvals.py` reads
//   data-passkey="make"   data-rp-id, data-rp-name, data-user-id, data-user-name, data-credentials
//                         into [name=made]: of PublicKeyCredential.toJSON() what we need
//
// All bytes are base64url without padding. Without scripts the part stays hidden, and what stands
// beside it (signing in once more) does the same.

const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const decode = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));

const known = (data) =>
  (data.credentials || "").split(" ").filter(Boolean)
    .map((id) => ({ type: "public-key", id: decode(id) }));

async function use(data) {
  const answer = await navigator.credentials.get({
    publicKey: {
      challenge: decode(data.challenge),
      rpId: data.rpId,
      allowCredentials: known(data),
      userVerification: "required",
    },
  });
  return ["assertion", {
    credential: encode(answer.rawId),
    authenticator_data: encode(answer.response.authenticatorData),
    client_data_json: encode(answer.response.clientDataJSON),
    signature: encode(answer.response.signature),
  }];
}

async function make(data) {
  const made = await navigator.credentials.create({
    publicKey: {
      // Nothing is proved by it: her provider signs that she adds this very key.
      challenge: crypto.getRandomValues(new Uint8Array(32)),
      rp: { id: data.rpId, name: data.rpName },
      user: { id: decode(data.userId), name: data.userName, displayName: data.userName },
      pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: "public-key", alg })),
      excludeCredentials: known(data),
      authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
      attestation: "none",
    },
  });
  return ["made", {
    rawId: encode(made.rawId),
    response: {
      publicKey: encode(made.response.getPublicKey()),
      publicKeyAlgorithm: made.response.getPublicKeyAlgorithm(),
    },
  }];
}

for (const part of document.querySelectorAll("[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  const form = part.closest("form");
  const failed = part.querySelector("[role=alert]");
  part.hidden = false;
  part.querySelector("button").addEventListener("click", async () => {
    failed.textContent = "";
    try {
      const [field, said] = await (part.dataset.passkey === "make" ? make : use)(part.dataset);
      form.elements[field].value = JSON.stringify(said);
    } catch {
      // Given up, timed out, or none that fits: browsers do not tell which, on purpose.
      failed.textContent = failed.dataset.text;
      return;
    }
    form.requestSubmit();
  });
}
