import type { Explanations } from "./explanations.ts";

export const PROOFS: Explanations = {
  "src/proofs/app-attestation/verifier.ts": [
    {
      line: "if (!(error instanceof InvalidJson)) throw error;",
      mutation: "false for: !(error instanceof InvalidJson)",
      reason: "No input makes the canonical form fail in another way.",
    },
  ],
  "src/proofs/binding.ts": [
    {
      line: "if (isSignedBy(publicKey, signature, challenge)) return unbound;",
      mutation: "false for: isSignedBy(publicKey, signature, challenge)",
      reason: "It saves the second verification; what does not verify for the other form counts as this one.",
    },
  ],
  "src/proofs/challenge-token-keys.ts": [
    {
      line: "return (await readKey(path)) ?? writeKey(path, random);",
      mutation: "without left of ??: (await readKey(path)) ?? writeKey(path, random)",
      reason: "A key that is there is found by the link as well; it saves the writing.",
    },
    {
      line: 'await writeFile(temporary, secret, { flag: "wx", mode: 0o600, flush: true });',
      mutation: '"" for: "wx"',
      reason: "No other file has this random name.",
    },
    {
      line: 'await writeFile(temporary, secret, { flag: "wx", mode: 0o600, flush: true });',
      mutation: "false for: true",
      reason: "Only a power failure shows it, and a file that lost its content is refused.",
    },
    {
      line: 'if (errorCode(error) !== "EEXIST") throw error;',
      mutation: 'false for: errorCode(error) !== "EEXIST"',
      reason: "Without a link there is no key to read, so it fails a moment later.",
    },
    {
      line: "await unlink(temporary);",
      mutation: "without await: unlink(temporary)",
      reason: "It is removed a moment later.",
    },
    {
      line: "await syncDirectory(dirname(path));",
      mutation: "removed: await syncDirectory(dirname(path));",
      reason: "Only a power failure shows it: another key is made then.",
    },
    {
      line: "await syncDirectory(dirname(path));",
      mutation: "without await: syncDirectory(dirname(path))",
      reason: "Only a power failure shows it: another key is made then.",
    },
  ],
  "src/proofs/challenge-tokens.ts": [
    {
      line: "earliestMs: () => Promise<number> = async () => 0,",
      mutation: "1 for: 0",
      reason: "No token was issued in the first millisecond of 1970.",
    },
    {
      line: 'imported.set(kid, await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]));',
      mutation: "true for: false",
      reason: "Nothing exports the key; that it cannot be exported is a second lock.",
    },
    {
      line: 'const key = imported.get(kid ?? "");',
      mutation: '"mutant" for: ""',
      reason: "There is a key for neither, unless an operator names one so.",
    },
    {
      line: 'requiredClaims: ["nbf", "exp"],',
      mutation: 'without element: "exp"',
      reason: "The schema of the claims requires it too.",
    },
    {
      line: "if (!(error instanceof errors.JOSEError)) throw error;",
      mutation: "false for: !(error instanceof errors.JOSEError)",
      reason: "No input makes the library throw anything else; a fault of it must not look like a bad token.",
    },
  ],
  "src/proofs/jwks.ts": [
    {
      line: "const DEFAULT_TIMEOUT_MS = 5 * 1000;",
      mutation: "6 for: 5",
      reason: "Some seconds, of which none is promised.",
    },
    {
      line: "const DEFAULT_TIMEOUT_MS = 5 * 1000;",
      mutation: "1001 for: 1000",
      reason: "Some seconds, of which none is promised.",
    },
    {
      line: 'span?.set({ "server.address": URL.parse(url)?.host ?? "" });',
      mutation: '"mutant" for: ""',
      reason: "The configuration has no text that is no URL; the types do not know that.",
    },
    {
      line: 'void background.run("jwks-refresh", refresh);',
      mutation: '"" for: "jwks-refresh"',
      reason: "A name for people, in the log.",
    },
    {
      line: "await response.body?.cancel();",
      mutation: "removed: await response.body?.cancel();",
      reason: "It frees the connection sooner.",
    },
    {
      line: "await response.body?.cancel();",
      mutation: "without await: response.body?.cancel()",
      reason: "It frees the connection sooner.",
    },
    {
      line: 'const host = URL.parse(url)?.host ?? "the issuer";',
      mutation: 'without right of ??: URL.parse(url)?.host ?? "the issuer"',
      reason: "The configuration has no text that is no URL; the types do not know that.",
    },
    {
      line: "throw new Error(`the response has status ${response.status}`);",
      mutation: "removed: throw new Error(`the response has status ${response.status}`);",
      reason: "The body that was cancelled is no key set either.",
    },
  ],
  "src/proofs/passkey/authenticator-data.ts": [
    {
      line: "const flags = bytes[RP_ID_HASH_BYTES] ?? 0;",
      mutation: "1 for: 0",
      reason: "The length was checked; the types do not know that.",
    },
    {
      line: 'if (bytes.length < idAt) throw new Error("attested credential data breaks off");',
      mutation: "<= for <: bytes.length < idAt",
      reason: "Where nothing follows the length of the id, no key follows either.",
    },
  ],
  "src/proofs/passkey/cose-key.ts": [
    {
      line: "const RSA_BITS = { min: 2048, max: 4096 };",
      mutation: "4097 for: 4096",
      reason: "A modulus is counted in whole bytes.",
    },
    {
      line: "if ((key.asymmetricKeyDetails?.modulusLength ?? 0) < RSA_BITS.min)",
      mutation: "1 for: 0",
      reason: "An RSA key has this detail; the types do not know that.",
    },
    {
      line: 'return algorithm === "ES256"',
      mutation: 'false for: algorithm === "ES256"',
      reason: "Bun reads DER as strictly; what is accepted does not depend on that.",
    },
    {
      line: "return first === -1 ? new Uint8Array() : value.subarray(first);",
      mutation: "false for: first === -1",
      reason: "A zero of one byte is refused like one of none: it is even.",
    },
    {
      line: "return first === -1 ? new Uint8Array() : value.subarray(first);",
      mutation: "2 for: 1",
      reason: "A zero of one byte is refused like one of none: it is even.",
    },
  ],
  "src/proofs/passkey/prf-results.ts": [
    {
      line: "if (!hasMembers(credential) || Array.isArray(credential)) return credential;",
      mutation: "without right of ||: !hasMembers(credential) || Array.isArray(credential)",
      reason: "A list in JSON has no member of such a name.",
    },
    {
      line: "return hasMembers(credential.response) && !Array.isArray(credential.response)",
      mutation: "without right of &&: hasMembers(credential.response) && !Array.isArray(credential.response)",
      reason: "A list in JSON has no member of such a name.",
    },
    {
      line: "if (!hasMembers(results) || !hasSecret(results)) return holder;",
      mutation: "without right of ||: !hasMembers(results) || !hasSecret(results)",
      reason: "Without a secret the copy has the same members.",
    },
    {
      line: 'if (!hasMembers(value) || Array.isArray(value) || typeof value.enabled !== "boolean") return undefined;',
      mutation: "without right of ||: !hasMembers(value) || Array.isArray(value)",
      reason: "A list in JSON has no member of such a name.",
    },
  ],
  "src/proofs/possible-replay.ts": [
    {
      line: 'this.name = "PossibleReplay";',
      mutation: '"" for: "PossibleReplay"',
      reason: "A name for people, in the log.",
    },
    {
      line: 'this.name = "PossibleReplay";',
      mutation: 'removed: this.name = "PossibleReplay";',
      reason: "A name for people, in the log.",
    },
  ],
  "src/proofs/turnkey/activity.ts": [
    {
      line: 'if (!hasMembers(parsed) || Array.isArray(parsed)) throw turnkeyError("it is not an object");',
      mutation: "without right of ||: !hasMembers(parsed) || Array.isArray(parsed)",
      reason: "A list in JSON has no members of such names; another message refuses it.",
    },
  ],
};
