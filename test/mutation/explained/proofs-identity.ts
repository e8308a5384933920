import type { Explanations } from "./explanations.ts";

export const PROOFS_IDENTITY: Explanations = {
  "src/proofs/identity/oidc.ts": [
    {
      line: "earliestMs: () => Promise<number> = async () => 0,",
      mutation: "1 for: 0",
      reason: "No token was issued in the first millisecond of 1970.",
    },
    {
      line: "const isOdd = (point.at(-1) ?? 0) % 2 === 1;",
      mutation: "1 for: 0",
      reason: "A point has a last byte; the types do not know that.",
    },
    {
      line: 'if (decodeBase64Url(token.split(".")[2] ?? "") === null) throw notAJwt();',
      mutation: '"mutant" for: ""',
      reason: "A JWT that was decoded has three parts; the types do not know that.",
    },
    {
      line: 'throw refused("its signature does not verify", error);',
      mutation: 'removed: throw refused("its signature does not verify", error);',
      reason: "What was not read has no claims; the same code, with another message.",
    },
  ],
  "src/proofs/identity/test-issuer.ts": [
    {
      line: 'if (header.kid !== kid) throw new Error("the token was not issued by this process");',
      mutation: "false for: header.kid !== kid",
      reason: "The signature of another process does not verify with this key.",
    },
  ],
};
