/** Mutants that no test can notice, or that none has to: each with its reason. */
export interface Explanation {
  readonly file: string;
  /** The line where the mutation begins, without its indentation. */
  readonly line: string;
  /** As the command prints it. */
  readonly mutation: string;
  readonly reason: string;
}

export const EXPLAINED: readonly Explanation[] = [
  {
    file: "src/backups/change.ts",
    line: "const RELEASABLE_MS = 8_000;",
    mutation: "8001 for: 8_000",
    reason: "Some seconds, of which none is promised.",
  },
  {
    file: "src/backups/change.ts",
    line: "const events = logged?.events ?? [];",
    mutation: "without right of ??: logged?.events ?? []",
    reason: "No events are the default of a decision.",
  },
  {
    file: "src/backups/change.ts",
    line: 'const consumption = consumed.status === "fulfilled" ? consumed.value : undefined;',
    mutation: 'true for: consumed.status === "fulfilled"',
    reason: "A rejected result has no value.",
  },
  {
    file: "src/backups/rules.ts",
    line: 'const { key } = factorRef("SYNC", factor);',
    mutation: '"" for: "SYNC"',
    reason: "The key is the same in each scope, and only the key is used.",
  },
  {
    file: "src/proofs/binding.ts",
    line: "if (isSignedBy(publicKey, signature, challenge)) return unbound;",
    mutation: "false for: isSignedBy(publicKey, signature, challenge)",
    reason: "It saves the second verification; what does not verify for the other form counts as this one.",
  },
  {
    file: "src/proofs/challenge-tokens.ts",
    line: "earliestMs: () => Promise<number> = async () => 0,",
    mutation: "1 for: 0",
    reason: "No token was issued in the first millisecond of 1970.",
  },
  {
    file: "src/proofs/challenge-tokens.ts",
    line: 'imported.set(kid, await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]));',
    mutation: "true for: false",
    reason: "Nothing exports the key; that it cannot be exported is a second lock.",
  },
  {
    file: "src/proofs/challenge-tokens.ts",
    line: 'const key = imported.get(kid ?? "");',
    mutation: 'without right of ??: kid ?? ""',
    reason: "The types ask for a text; there is a key for neither.",
  },
  {
    file: "src/proofs/challenge-tokens.ts",
    line: 'const key = imported.get(kid ?? "");',
    mutation: '"mutant" for: ""',
    reason: "There is a key for neither, unless an operator names one so.",
  },
  {
    file: "src/proofs/challenge-tokens.ts",
    line: 'requiredClaims: ["nbf", "exp"],',
    mutation: 'without element: "exp"',
    reason: "The schema of the claims requires it too.",
  },
  {
    file: "src/proofs/challenge-tokens.ts",
    line: "if (!(error instanceof errors.JOSEError)) throw error;",
    mutation: "false for: !(error instanceof errors.JOSEError)",
    reason: "No input makes the library throw anything else; a fault of it must not look like a bad token.",
  },
  {
    file: "src/proofs/passkey/authenticator-data.ts",
    line: "const flags = bytes[RP_ID_HASH_BYTES] ?? 0;",
    mutation: "without right of ??: bytes[RP_ID_HASH_BYTES] ?? 0",
    reason: "The length was checked; the types do not know that.",
  },
  {
    file: "src/proofs/passkey/authenticator-data.ts",
    line: "const flags = bytes[RP_ID_HASH_BYTES] ?? 0;",
    mutation: "1 for: 0",
    reason: "The length was checked; the types do not know that.",
  },
  {
    file: "src/proofs/passkey/authenticator-data.ts",
    line: 'if (bytes.length < idAt) throw new Error("attested credential data breaks off");',
    mutation: "<= for <: bytes.length < idAt",
    reason: "Where nothing follows the length of the id, no key follows either.",
  },
  {
    file: "src/proofs/passkey/cose-key.ts",
    line: "const RSA_BITS = { min: 2048, max: 4096 };",
    mutation: "4097 for: 4096",
    reason: "A modulus is counted in whole bytes.",
  },
  {
    file: "src/proofs/passkey/cose-key.ts",
    line: "if ((key.asymmetricKeyDetails?.modulusLength ?? 0) < RSA_BITS.min)",
    mutation: "without right of ??: key.asymmetricKeyDetails?.modulusLength ?? 0",
    reason: "An RSA key has this detail; the types do not know that.",
  },
  {
    file: "src/proofs/passkey/cose-key.ts",
    line: "if ((key.asymmetricKeyDetails?.modulusLength ?? 0) < RSA_BITS.min)",
    mutation: "1 for: 0",
    reason: "An RSA key has this detail; the types do not know that.",
  },
  {
    file: "src/proofs/verify.ts",
    line: "if (!(error instanceof ServiceError)) throw error;",
    mutation: "false for: !(error instanceof ServiceError)",
    reason: "No input makes the verification throw anything else.",
  },
  {
    file: "src/storage/local/blobs.ts",
    line: "await syncDirectory(dataDir);",
    mutation: "without await: syncDirectory(dataDir)",
    reason: "Only a power failure shows it: test/durability.",
  },
  {
    file: "src/storage/local/blobs.ts",
    line: "await syncDirectory(root);",
    mutation: "without await: syncDirectory(root)",
    reason: "Only a power failure shows it: test/durability.",
  },
  {
    file: "src/storage/local/blobs.ts",
    line: "if (ref.size <= SMALL_BYTES) {",
    mutation: "true for: ref.size <= SMALL_BYTES",
    reason: "The same bytes, in more memory: test/bench measures it.",
  },
  {
    file: "src/storage/local/blobs.ts",
    line: "const content = await fileOperation(() => readIfThere(path, ref.size + 1));",
    mutation: "2 for: 1",
    reason: "Any byte too many shows that the file is too long.",
  },
  {
    file: "src/storage/local/blobs.ts",
    line: "if (index % NAMES_AT_ONCE === 0) await nextTurn();",
    mutation: "without await: nextTurn()",
    reason: "A list blocks the event loop for longer: test/bench measures it.",
  },
  {
    file: "src/storage/local/blobs.ts",
    line: "await fileOperation(() => file.sync());",
    mutation: "without await: fileOperation(() => file.sync())",
    reason: "Only a power failure shows it: test/durability.",
  },
  {
    file: "src/storage/local/blobs.ts",
    line: "await fileOperation(() => file.close());",
    mutation: "without await: fileOperation(() => file.close())",
    reason: "It is closed a moment later.",
  },
  {
    file: "src/storage/local/blobs.ts",
    line: "for (let read = -1; read !== 0 && length < maxBytes; length += read)",
    mutation: "without right of &&: read !== 0 && length < maxBytes",
    reason: "A read of no bytes ends it as well.",
  },
  {
    file: "src/storage/local/blobs.ts",
    line: "if (found !== null && Date.now() - found.mtimeMs > TEMPORARY_MAX_AGE_MS) await removeIfThere(path);",
    mutation: "without await: removeIfThere(path)",
    reason: "It is removed a moment later.",
  },
  {
    file: "src/backups/rules.ts",
    line: 'if (lists(metadata, { scope: "SYNC", key }) || lists(metadata, { scope: "MAIN", key }))',
    mutation: '"" for: "SYNC"',
    reason: "There are two scopes, and the types allow no third.",
  },
  {
    file: "src/backups/rules.ts",
    line: "mainFactorRemovedAtMs !== undefined &&",
    mutation:
      "without left of &&: mainFactorRemovedAtMs !== undefined && mainFactorRemovedAtMs > challengedAtMs",
    reason: "Nothing is above a number that is not there; the types do not know that.",
  },
  {
    file: "src/proofs/passkey/passkey.ts",
    line: 'if (attested === null) throw new Error("the authenticator made no passkey");',
    mutation: "false for: attested === null",
    reason: "Reading it fails then, and every failure of a ceremony is refused in the same way.",
  },
  {
    file: "src/proofs/passkey/prf-results.ts",
    line: "if (!hasMembers(credential) || Array.isArray(credential)) return credential;",
    mutation: "without right of ||: !hasMembers(credential) || Array.isArray(credential)",
    reason: "A list in JSON has no member of such a name.",
  },
  {
    file: "src/proofs/passkey/prf-results.ts",
    line: "return hasMembers(credential.response) && !Array.isArray(credential.response)",
    mutation: "without right of &&: hasMembers(credential.response) && !Array.isArray(credential.response)",
    reason: "A list in JSON has no member of such a name.",
  },
  {
    file: "src/proofs/passkey/prf-results.ts",
    line: "if (!hasMembers(results) || !hasSecret(results)) return holder;",
    mutation: "without left of ||: !hasMembers(results) || !hasSecret(results)",
    reason: "What has no members has no secret.",
  },
  {
    file: "src/proofs/passkey/prf-results.ts",
    line: "if (!hasMembers(results) || !hasSecret(results)) return holder;",
    mutation: "without right of ||: !hasMembers(results) || !hasSecret(results)",
    reason: "Without a secret the copy has the same members.",
  },
  {
    file: "src/proofs/passkey/prf-results.ts",
    line: 'if (!hasMembers(value) || Array.isArray(value) || typeof value.enabled !== "boolean") return undefined;',
    mutation:
      'without left of ||: !hasMembers(value) || Array.isArray(value) || typeof value.enabled !== "boolean"',
    reason: "A text has no member of such a name.",
  },
  {
    file: "src/proofs/passkey/prf-results.ts",
    line: 'if (!hasMembers(value) || Array.isArray(value) || typeof value.enabled !== "boolean") return undefined;',
    mutation: "without left of ||: !hasMembers(value) || Array.isArray(value)",
    reason: "A text has no member of such a name.",
  },
  {
    file: "src/proofs/passkey/prf-results.ts",
    line: 'if (!hasMembers(value) || Array.isArray(value) || typeof value.enabled !== "boolean") return undefined;',
    mutation: "without right of ||: !hasMembers(value) || Array.isArray(value)",
    reason: "A list in JSON has no member of such a name.",
  },
  {
    file: "src/proofs/passkey/cose-key.ts",
    line: 'return algorithm === "ES256"',
    mutation: 'false for: algorithm === "ES256"',
    reason: "Bun reads DER as strictly; what is accepted does not depend on that.",
  },
  {
    file: "src/proofs/passkey/cose-key.ts",
    line: 'return algorithm === "ES256"',
    mutation: '"" for: "ES256"',
    reason: "Bun reads DER as strictly; what is accepted does not depend on that.",
  },
  {
    file: "src/proofs/passkey/cose-key.ts",
    line: "return first === -1 ? new Uint8Array() : value.subarray(first);",
    mutation: "false for: first === -1",
    reason: "A zero of one byte is refused like one of none: it is even.",
  },
  {
    file: "src/proofs/passkey/cose-key.ts",
    line: "return first === -1 ? new Uint8Array() : value.subarray(first);",
    mutation: "2 for: 1",
    reason: "A zero of one byte is refused like one of none: it is even.",
  },
  {
    file: "src/proofs/passkey/cose-key.ts",
    line: "return (number.at(-1) ?? 0) % 2 === 1;",
    mutation: "without right of ??: number.at(-1) ?? 0",
    reason: "What is not there is not odd; the types do not know that.",
  },
  {
    file: "src/backups/restore-version.ts",
    line: "requireVersion(first, versionId);",
    mutation: "removed: requireVersion(first, versionId);",
    reason: "The decision requires it again; here it is refused before anything is decided.",
  },
  {
    file: "src/crypto/ecdsa.ts",
    line: "const MAX_DER_SIGNATURE_BYTES = 72;",
    mutation: "73 for: 72",
    reason: "Strict DER of two numbers below the order is never longer; it saves the reading.",
  },
  {
    file: "src/crypto/ecdsa.ts",
    line: "if (signature.length > MAX_DER_SIGNATURE_BYTES) return null;",
    mutation: "false for: signature.length > MAX_DER_SIGNATURE_BYTES",
    reason: "Strict DER of two numbers below the order is never longer; it saves the reading.",
  },
  {
    file: "src/crypto/ecdsa.ts",
    line: "if (point.length !== P256_POINT_BYTES || point[0] !== UNCOMPRESSED_POINT) return null;",
    mutation: "without right of ||: point.length !== P256_POINT_BYTES || point[0] !== UNCOMPRESSED_POINT",
    reason: "Bun refuses every other form of this length as well.",
  },
  {
    file: "src/storage/local/records.ts",
    line: "const BUSY_TIMEOUT_MS = 5_000;",
    mutation: "5001 for: 5_000",
    reason: "Some seconds, of which the documentation of the option alone is exact.",
  },
  {
    file: "src/storage/local/records.ts",
    line: "this.#db.insert(counters).values({ id, total: 0, expiresAtMs: 0 }).run();",
    mutation: "1 for: 0",
    reason: "The row is deleted in the same transaction.",
  },
];
