import type { Explanations } from "./explanations.ts";

export const CRYPTO: Explanations = {
  "src/crypto/ecdsa.ts": [
    {
      line: "const MAX_DER_SIGNATURE_BYTES = 72;",
      mutation: "73 for: 72",
      reason: "Strict DER of two numbers below the order is never longer; it saves the reading.",
    },
    {
      line: "if (signature.length > MAX_DER_SIGNATURE_BYTES) return null;",
      mutation: "false for: signature.length > MAX_DER_SIGNATURE_BYTES",
      reason: "Strict DER of two numbers below the order is never longer; it saves the reading.",
    },
    {
      line: "if (point.length !== P256_POINT_BYTES || point[0] !== UNCOMPRESSED_POINT) return null;",
      mutation: "without right of ||: point.length !== P256_POINT_BYTES || point[0] !== UNCOMPRESSED_POINT",
      reason: "Bun refuses every other form of this length as well.",
    },
  ],
};
