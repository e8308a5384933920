/** Values of the API reference. Well-formed, but no key, token or backup of anybody. */
const backupId = "backup_account_0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
const manifestHash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const publicKey = "BGsX0fLhLEJH+Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT+NC4v4af5uO5+tKfA+eFivOM1drMV7Oy7ZAaDe/UfU=";
const signature =
  "MEQCIBEREREREREREREREREREREREREREREREREREREREREREREAiAiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIg==";
const encryptedKey = "q83vEjRWeJCrze8SNFZ4kA==";
const challenge = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const token = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiYSJ9..c2FtcGxl.c2FtcGxl.c2FtcGxl";
const factorId = "0b7c4e52-6c4e-4c59-9f0a-5f3c7f6d2a11";

const authorization = { kind: "EC_KEYPAIR", publicKey, signature } as const;
const encryptionKey = { kind: "ICLOUD", encryptedKey } as const;

const metadata = {
  id: backupId,
  keys: [encryptionKey],
  factors: [{ id: factorId, createdAt: 1767225600, kind: { kind: "EC_KEYPAIR", publicKey } }],
  syncFactors: [
    {
      id: "6f1c3d0e-0d1b-4f6e-8d53-0a1f4f6d7c22",
      createdAt: 1767225600,
      kind: { kind: "EC_KEYPAIR", publicKey },
    },
  ],
  manifestHash,
} as const;

export const examples = {
  backupId,
  manifestHash,
  nextManifestHash: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
  publicKey,
  signature,
  encryptedKey,
  challenge,
  token,
  factorId,
  authorization,
  encryptionKey,
  metadata,
  syncFactorToken: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
  semver: "0.1.0",
} as const;
