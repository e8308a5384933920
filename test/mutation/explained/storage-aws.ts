import type { Explanations } from "./explanations.ts";

export const STORAGE_AWS: Explanations = {
  "src/storage/aws/direct/client.ts": [
    {
      line: "await learnTime(config, response, sentAtMs);",
      mutation: "without await: learnTime(config, response, sentAtMs)",
      reason: "What is learnt is there a moment later, before another request is signed.",
    },
    {
      line: "await learnTime(config, response, sentAtMs, error);",
      mutation: "without await: learnTime(config, response, sentAtMs, error)",
      reason: "What is learnt is there a moment later, before another request is signed.",
    },
    {
      line: "this.#operations.set(name, operation);",
      mutation: "removed: this.#operations.set(name, operation);",
      reason: "Only slower: test/bench measures it.",
    },
    {
      line: 'if (!("$metadata" in error)) Object.assign(error, { $metadata: { httpStatusCode: response.statusCode } });',
      mutation: 'true for: !("$metadata" in error)',
      reason: "Only ids of the response are lost, which nothing reads.",
    },
    {
      line: 'if (!("$metadata" in error)) Object.assign(error, { $metadata: { httpStatusCode: response.statusCode } });',
      mutation: '"" for: "$metadata"',
      reason: "Only ids of the response are lost, which nothing reads.",
    },
  ],
  "src/storage/aws/direct/dynamodb-json.ts": [
    {
      line: "const known = outputs.get(name) ?? Object.keys(NormalizedSchema.of(output).getMemberSchemas());",
      mutation:
        "without left of ??: outputs.get(name) ?? Object.keys(NormalizedSchema.of(output).getMemberSchemas())",
      reason: "Only slower: test/bench measures it.",
    },
    {
      line: "outputs.set(name, known);",
      mutation: "removed: outputs.set(name, known);",
      reason: "Only slower: test/bench measures it.",
    },
    {
      line: "if (BINARY.test(text)) return sdk.serializeRequest(operation, input, context);",
      mutation: "true for: BINARY.test(text)",
      reason: "The SDK writes the same bytes, only slower: test/bench measures it.",
    },
    {
      line: 'return typeof value === "object" && value !== null && !Array.isArray(value);',
      mutation: 'without left of &&: typeof value === "object" && value !== null && !Array.isArray(value)',
      reason: "What is no object fails where it is read: the response is unusable in either case.",
    },
    {
      line: 'return typeof value === "object" && value !== null && !Array.isArray(value);',
      mutation: 'without left of &&: typeof value === "object" && value !== null',
      reason: "What is no object fails where it is read: the response is unusable in either case.",
    },
    {
      line: 'return typeof value === "object" && value !== null && !Array.isArray(value);',
      mutation: 'without right of &&: typeof value === "object" && value !== null',
      reason: "What is no object fails where it is read: the response is unusable in either case.",
    },
  ],
  "src/storage/aws/history/collection.ts": [
    {
      line: 'ExpressionAttributeValues: { ":true": { BOOL: true } },',
      mutation: "false for: true",
      reason: "A state is taken where the attribute is there, whatever its value.",
    },
  ],
  "src/storage/aws/spool-memory.ts": [
    {
      line: "if (left > 0) this.#heldByClient.set(client, left);",
      mutation: "true for: left > 0",
      reason: "A client that holds nothing takes memory, which shows after millions of clients.",
    },
    {
      line: "if (left > 0) this.#heldByClient.set(client, left);",
      mutation: ">= for >: left > 0",
      reason: "A client that holds nothing takes memory, which shows after millions of clients.",
    },
  ],
  "src/storage/aws/spool.ts": [
    {
      line: "await unlink(path).catch(async (error: unknown) => {",
      mutation:
        "without await: unlink(path).catch(async (error: unknown) => { await file.close(); throw error; })",
      reason: "A folder in which files can be created but not removed cannot be made for a test.",
    },
    {
      line: "await file.close();",
      mutation: "removed: await file.close();",
      reason: "A folder in which files can be created but not removed cannot be made for a test.",
    },
    {
      line: "await file.close();",
      mutation: "without await: file.close()",
      reason: "A folder in which files can be created but not removed cannot be made for a test.",
    },
    {
      line: "throw error;",
      mutation: "removed: throw error;",
      reason: "A folder in which files can be created but not removed cannot be made for a test.",
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
