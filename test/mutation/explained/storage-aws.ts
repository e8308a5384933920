import type { Explanations } from "./explanations.ts";

export const STORAGE_AWS: Explanations = {
  "src/storage/aws/changes.ts": [
    {
      line: "const alone = consumer === null ? {} : { alone: consumeAlone(write, nonce, consumer) };",
      mutation: "false for: consumer === null",
      reason:
        "A commit also writes the record, so its nonces are never written alone; the types do not know that.",
    },
  ],
  "src/storage/aws/history/collection.ts": [
    {
      line: 'ExpressionAttributeValues: { ":true": { BOOL: true } },',
      mutation: "false for: true",
      reason: "A state is taken where the attribute is there, whatever its value.",
    },
    {
      line: "return { blobs: blobsOf(state), logIds: logId === null ? [] : [logId] };",
      mutation: "false for: logId === null",
      reason: "No log has that name; the types refuse it.",
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
    {
      line: 'if (error instanceof Error && error.name === "ValidationException")',
      mutation: 'without left of &&: error instanceof Error && error.name === "ValidationException"',
      reason: "What is thrown is an error; the types do not know that.",
    },
  ],
};
