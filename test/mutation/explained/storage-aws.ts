import type { Explanations } from "./explanations.ts";

export const STORAGE_AWS: Explanations = {
  "src/storage/aws/blobs.ts": [
    {
      line: "const MAX_WAIT_MS = 12_000;",
      mutation: "12001 for: 12_000",
      reason: "A millisecond more changes nothing.",
    },
    {
      line: "const ATTEMPT_MS = 5_000;",
      mutation: "5001 for: 5_000",
      reason: "A millisecond more changes nothing.",
    },
    {
      line: "const MAX_UNREAD_MS = 60_000;",
      mutation: "60001 for: 60_000",
      reason: "A millisecond more changes nothing.",
    },
    {
      line: 'const NO_CLIENT = "";',
      mutation: '"mutant" for: ""',
      reason: "No client has either name.",
    },
  ],
  "src/storage/aws/clients.ts": [
    {
      line: "const CONNECTION_TIMEOUT_MS = 1_500;",
      mutation: "1501 for: 1_500",
      reason: "A millisecond more changes nothing.",
    },
    {
      line: "const MAX_DYNAMODB_REQUESTS = 128;",
      mutation: "129 for: 128",
      reason: "One more changes nothing.",
    },
    {
      line: "export const MAX_S3_REQUESTS = 96;",
      mutation: "97 for: 96",
      reason: "One more changes nothing.",
    },
    {
      line: '{ name: "signWithKnownHash", step: "build" },',
      mutation: '"" for: "signWithKnownHash"',
      reason: "A name that nothing refers to.",
    },
    {
      line: 'return typeof request === "object" && request !== null && "headers" in request;',
      mutation:
        'without right of &&: typeof request === "object" && request !== null && "headers" in request',
      reason: "Each request has headers; the types do not know that.",
    },
  ],
  "src/storage/aws/clock-skew.ts": [
    {
      line: "if (!(error instanceof Error) || !REFUSED.has(statusOf(error) ?? 0)) return null;",
      mutation: "1 for: 0",
      reason: "Neither is a status.",
    },
    {
      line: 'textAt(error, "ServerTime") ?? textAt(error, "$response", "headers", "date") ?? "",',
      mutation: '"mutant" for: ""',
      reason: "Neither is a date.",
    },
    {
      line: 'return `the clock of this machine is ${minutes} minutes ${skewMs > 0 ? "ahead of" : "behind"} AWS\'s`;',
      mutation: ">= for >: skewMs > 0",
      reason: "A difference of so little is none.",
    },
    {
      line: 'return `the clock of this machine is ${minutes} minutes ${skewMs > 0 ? "ahead of" : "behind"} AWS\'s`;',
      mutation: "1 for: 0",
      reason: "A difference of so little is none.",
    },
  ],
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
  "src/storage/aws/direct/clock.ts": [
    {
      line: 'const theirsMs = Date.parse((error && textAt(error, "ServerTime")) ?? headers.date ?? "");',
      mutation: '"mutant" for: ""',
      reason: "Neither is a date.",
    },
  ],
  "src/storage/aws/direct/connections.ts": [
    {
      line: "if (!(body instanceof Readable)) return body;",
      mutation: "true for: !(body instanceof Readable)",
      reason: "The same request, only slower: test/bench measures it.",
    },
    {
      line: "return isSmall(headers) ? Buffer.concat(await Array.fromAsync<Uint8Array>(body)) : body;",
      mutation: "false for: isSmall(headers)",
      reason: "The same request, only slower: test/bench measures it.",
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
    {
      line: "return Array.isArray(value) && value.every(isMap);",
      mutation: "without right of &&: Array.isArray(value) && value.every(isMap)",
      reason: "What is no object fails where it is read: the response is unusable in either case.",
    },
    {
      line: 'return isMap(value) && (!("Keys" in value) || isListOfMaps(value.Keys));',
      mutation: 'without right of &&: isMap(value) && (!("Keys" in value) || isListOfMaps(value.Keys))',
      reason: "What is no list of keys cannot be requested: the response is unusable in either case.",
    },
    {
      line: "return body instanceof Uint8Array",
      mutation: "true for: body instanceof Uint8Array",
      reason: "No body of DynamoDB is a stream; the types do not know that.",
    },
    {
      line: ': "";',
      mutation: '"mutant" for: ""',
      reason: "No body of DynamoDB is a stream; the types do not know that.",
    },
  ],
  "src/storage/aws/direct/dynamodb.ts": [
    {
      line: "if (stated === undefined || !(body instanceof Uint8Array)) return;",
      mutation: "without right of ||: stated === undefined || !(body instanceof Uint8Array)",
      reason: "No body of DynamoDB is a stream; the types do not know that.",
    },
  ],
  "src/storage/aws/direct/signature.ts": [
    {
      line: 'const lines = names.map((name) => `${name}:${canonicalValue(headers[name] ?? "")}\\n`).join("");',
      mutation: '"mutant" for: ""',
      reason: "Each name is that of a header; the types do not know that.",
    },
    {
      line: "if (this.#derived?.purpose !== purpose) {",
      mutation: "true for: this.#derived?.purpose !== purpose",
      reason: "Only slower: the same key is derived for each request.",
    },
  ],
  "src/storage/aws/history/collection.ts": [
    {
      line: 'ExpressionAttributeValues: { ":true": { BOOL: true } },',
      mutation: "false for: true",
      reason: "A state is taken where the attribute is there, whatever its value.",
    },
  ],
  "src/storage/aws/history/deleted-states.ts": [
    { line: "const PAGE = 10;", mutation: "11 for: 10", reason: "Any number at a time will do." },
  ],
  "src/storage/aws/history/items.ts": [
    {
      line: "return `${kind}|${Number.parseInt(hashOf(name).slice(0, 8), 16) % SHARDS[kind]}`;",
      mutation: "1 for: 0",
      reason: "The last digit alone says which shard it is: their numbers divide sixteen.",
    },
    {
      line: 'return `${Math.max(0, Math.floor(ms))}`.padStart(15, "0");',
      mutation: "1 for: 0",
      reason: "There is no such time.",
    },
    {
      line: 'if (!Array.isArray(blobs) || !blobs.every(isBlobRef)) return malformed("Blobs");',
      mutation: '"" for: "Blobs"',
      reason: "A name in the text of an error.",
    },
    {
      line: 'return malformed("LogIds");',
      mutation: '"" for: "LogIds"',
      reason: "A name in the text of an error.",
    },
  ],
  "src/storage/aws/history/log.ts": [
    {
      line: "liveItems(table, logId, before, limit + 1),",
      mutation: "2 for: 1",
      reason: "One more event is read than is needed.",
    },
  ],
  "src/storage/aws/history/steps.ts": [
    {
      line: "const BLOBS_PER_ITEM = 1_000;",
      mutation: "1001 for: 1_000",
      reason: "As many for an item as fit by far.",
    },
    {
      line: "logIds: row === 0 ? logIds : [],",
      mutation: "true for: row === 0",
      reason: "The second row deletes the events of logs that are empty by then.",
    },
  ],
  "src/storage/aws/history/surplus.ts": [
    {
      line: "return Number.parseInt(hashOf(eventId).slice(0, 4), 16) % NOTED_EVERY === 0;",
      mutation: "1 for: 0",
      reason: "The last digits alone say which events those are.",
    },
  ],
  "src/storage/aws/history/table.ts": [
    {
      line: "const DELETED_AT_ONCE = 25;",
      mutation: "26 for: 25",
      reason: "Any number at a time will do.",
    },
    {
      line: '{ PK = { S: "" }, SK = { S: "" } }: Item,',
      mutation: '"mutant" for: ""',
      reason: "Each item has its keys; the types do not know that.",
    },
    {
      line: "for (let at = 0; at < items.length; at += DELETED_AT_ONCE)",
      mutation: "<= for <: at < items.length",
      reason: "It ends with a portion of no items.",
    },
    {
      line: 'const sortKey = ({ SK }: Item) => SK?.S ?? "";',
      mutation: '"mutant" for: ""',
      reason: "Each item has its keys; the types do not know that.",
    },
    {
      line: ".sort((one, other) => (sortKey(one) < sortKey(other) ? -1 : 1))",
      mutation: "<= for <: sortKey(one) < sortKey(other)",
      reason: "No two items have the same sort key.",
    },
    {
      line: ".sort((one, other) => (sortKey(one) < sortKey(other) ? -1 : 1))",
      mutation: "2 for: 1",
      reason: "The sign alone says which is first.",
    },
  ],
  "src/storage/aws/object-body.ts": [
    {
      line: "const body = Readable.from(pieces, { objectMode: false });",
      mutation: "true for: false",
      reason: "Only how much is read ahead differs: some pieces, not some bytes.",
    },
  ],
  "src/storage/aws/pages.ts": [
    {
      line: "replacedAt *= 2;",
      mutation: "3 for: 2",
      reason: "A list without an end still ends within the bound.",
    },
  ],
  "src/storage/aws/record-inspection.ts": [
    {
      line: "return Math.max(0, (Table?.ItemCount ?? 0) - 1);",
      mutation: "1 for: 0",
      reason: "None is counted in either case.",
    },
  ],
  "src/storage/aws/retry.ts": [
    { line: "const status = statusOf(error) ?? 0;", mutation: "1 for: 0", reason: "Neither is a status." },
    {
      line: 'return status === null ? NOT_SENT.has(errorCode(error) ?? "") : status >= 400 && status < 500;',
      mutation: '"mutant" for: ""',
      reason: "Neither is a code.",
    },
  ],
  "src/storage/aws/setup.ts": [
    {
      line: "const MAX_ATTEMPTS = 5;",
      mutation: "6 for: 5",
      reason: "One more changes nothing.",
    },
  ],
  "src/storage/aws/setup-tables.ts": [
    {
      line: "const CREATION_LIMIT_SECONDS = 180;",
      mutation: "181 for: 180",
      reason: "A second more changes nothing.",
    },
    {
      line: "const RECOVERY_LIMIT_MS = 120_000;",
      mutation: "120001 for: 120_000",
      reason: "A millisecond more changes nothing.",
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
  "src/storage/aws/tables.ts": [
    {
      line: '(bytes, [name, { S, N }]) => bytes + Buffer.byteLength(name) + Buffer.byteLength(S ?? N ?? ""),',
      mutation: '"mutant" for: ""',
      reason: "Each attribute of a record is a text or a number; the types do not know that.",
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
  "src/storage/aws/upload.ts": [
    {
      line: 'ContentType: "application/octet-stream",',
      mutation: '"" for: "application/octet-stream"',
      reason: "The SDK sends this type where none is given.",
    },
    {
      line: "const stored = await (ref.size === 0 ? send(new Uint8Array(0)) : withBody(spooled.read(), send));",
      mutation: "false for: ref.size === 0",
      reason: "An empty stream is sent as no bytes too.",
    },
  ],
  "src/storage/aws/legacy/source.ts": [
    {
      line: "for (let start = 0; start < keys.length; start += MAX_ROWS_A_CALL) {",
      mutation: "<= for <: start < keys.length",
      reason: "No key is left for the last iteration, which requests nothing.",
    },
    {
      line: 'return size === null ? null : this.#pieces({ key, size, sha256: "" });',
      mutation: '"mutant" for: ""',
      reason: "A download compares no hash.",
    },
    {
      line: "const MAX_UNREAD_MS = 60_000;",
      mutation: "60001 for: 60_000",
      reason: "How long a run waits for its reader is not promised.",
    },
    {
      line: "const RETRY: RetryPolicy = { ...DEFAULT_RETRY, budgetMs: 120_000, attemptMs: 30_000, maxPauseMs: 10_000 };",
      mutation: "10001 for: 10_000",
      reason: "How long a run waits for the stores is not promised.",
    },
    {
      line: "const RETRY: RetryPolicy = { ...DEFAULT_RETRY, budgetMs: 120_000, attemptMs: 30_000, maxPauseMs: 10_000 };",
      mutation: "30001 for: 30_000",
      reason: "How long a run waits for the stores is not promised.",
    },
    {
      line: "const RETRY: RetryPolicy = { ...DEFAULT_RETRY, budgetMs: 120_000, attemptMs: 30_000, maxPauseMs: 10_000 };",
      mutation: "120001 for: 120_000",
      reason: "How long a run waits for the stores is not promised.",
    },
  ],
  "src/storage/aws/legacy/target.ts": [
    {
      line: 'return this.#put(legacyCiphertextKey(backupId, archiveId), content, "application/octet-stream");',
      mutation: '"" for: "application/octet-stream"',
      reason: "The SDK sends this type where none is given.",
    },
  ],
};
