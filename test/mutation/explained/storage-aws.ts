import type { Explanations } from "./explanations.ts";

export const STORAGE_AWS: Explanations = {
  "src/storage/aws/history/collection.ts": [
    {
      line: 'ExpressionAttributeValues: { ":true": { BOOL: true } },',
      mutation: "false for: true",
      reason: "A state is taken where the attribute is there, whatever its value.",
    },
  ],
  "src/storage/aws/transactions.ts": [
    {
      line: "const TOKEN_KNOWN_MS = 9 * 60 * 1000;",
      mutation: "61 for: 60",
      reason: "Less than the ten minutes in either case.",
    },
    {
      line: "const TOKEN_KNOWN_MS = 9 * 60 * 1000;",
      mutation: "1001 for: 1000",
      reason: "Less than the ten minutes in either case.",
    },
    {
      line: "const isForgotten = alone?.isReplaceable ?? msSince(startedAt, clock) > TOKEN_KNOWN_MS;",
      mutation: ">= for >: msSince(startedAt, clock) > TOKEN_KNOWN_MS",
      reason: "There is a minute to spare.",
    },
  ],
};
