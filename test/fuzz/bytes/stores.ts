/** Responses of DynamoDB and S3: whatever a store answers, a call returns a value or throws what the contract has. */

import { systemRandom } from "../../../src/runtime/clock.ts";
import { openAwsBlobs } from "../../../src/storage/aws/blobs.ts";
import {
  deletionItem,
  dueLeftoversItem,
  logItem,
  outboxItem,
} from "../../../src/storage/aws/history/items.ts";
import { packVersions, unpackVersions } from "../../../src/storage/aws/packed-versions.ts";
import { openAwsRecords } from "../../../src/storage/aws/records.ts";
import { factorItem, type Item, nonceItem, recordItem, tokenItem } from "../../../src/storage/aws/tables.ts";
import { BlobDamaged, ChangeRefused, StorageUnavailable } from "../../../src/storage/contract.ts";
import { awsConfigAt, setAwsCredentials } from "../../support/aws-config.ts";
import { SettableClock } from "../../support/settable-clock.ts";
import { randomJson } from "./json-grammar.ts";
import { randomList } from "./s3-lists.ts";
import {
  ACCEPTED,
  bytesOf,
  type Dice,
  kindOf,
  ONE_IN_OF_STORES,
  requireThat,
  type Target,
} from "./target.ts";

const CLOCK = new SettableClock();
export const UUID = "01234567-89ab-4cde-8f01-23456789abcd";
export const BACKUP = `backup_account_${"02".repeat(33)}`;
export const CONFIG = awsConfigAt("http://store.example");
const ONE_ATTEMPT = { budgetMs: -1, attemptMs: 60_000, firstPauseMs: 0, maxPauseMs: 0 };
const OPTIONS = { clock: CLOCK, random: systemRandom, retry: ONE_ATTEMPT };

const BLOB = { key: `${BACKUP}/blobs/${UUID}`, size: 4, sha256: "ab".repeat(32) };
const VERSION = {
  versionId: UUID,
  manifestHash: "cd".repeat(32),
  createdAtMs: 1,
  replacedAtMs: 2,
  blob: BLOB,
};
const STATE = { blob: BLOB, metadata: { id: BACKUP, factors: [] }, versions: [VERSION] };
const LATER_MS = CLOCK.nowMs() + 1_000_000;
const EVENT = { id: UUID, backupId: BACKUP, atMs: 5, body: { kind: "a" } };
const NEW_EVENT = { ...EVENT, logId: UUID, expiresAtMs: LATER_MS, deliverFromMs: null };
const DELETED = {
  ...STATE,
  deletionId: UUID,
  deletedAtMs: 3,
  keepUntilMs: LATER_MS,
  deletedBy: UUID,
  logId: UUID,
};
const FACTOR = { scope: "MAIN", key: "EC_KEYPAIR|A" } as const;
const NONCE = { id: "nonce", expiresAtMs: LATER_MS };

export const ITEMS: readonly Item[] = [
  recordItem(BACKUP, STATE, UUID, 4),
  deletionItem(BACKUP, DELETED),
  logItem(UUID, NEW_EVENT),
  outboxItem({ event: EVENT, attempts: 1, dueMs: 0 }),
  dueLeftoversItem({ id: UUID, dueMs: 0 }, BACKUP, { blobs: [BLOB], logIds: [UUID] }),
  factorItem(FACTOR, BACKUP, 1),
  nonceItem(NONCE, null),
  tokenItem({ ...NONCE, backupId: BACKUP, holder: UUID }),
  {
    BackupId: { S: "#installation" },
    Installation: { S: UUID },
    LastSeenMs: { N: "1" },
    Restores: { L: [{ M: { CopiedAtMs: { N: "1" }, RestoredAtMs: { N: "2" } } }] },
  },
];

const ERROR_NAMES = [
  ...[
    "ConditionalCheckFailedException",
    "TransactionCanceledException",
    "ThrottlingException",
    "ValidationException",
  ],
  ...["ResourceNotFoundException", "InternalServerError", "toString", ""],
];

export const DYNAMODB_CORPUS = bytesOf(
  "{}",
  ...ITEMS.flatMap((item) => [
    JSON.stringify({ Item: item }),
    JSON.stringify({ Items: [item], Count: 1 }),
    JSON.stringify({ Responses: { factors: [item], "one-time": [item] }, UnprocessedKeys: {} }),
  ]),
  '{"Attributes":{"CounterSum":{"N":"5"}}}',
  "1e999999999",
  ...ERROR_NAMES.map((name) =>
    JSON.stringify({
      __type: `com.amazonaws.dynamodb.v20120810#${name}`,
      message: "m",
      CancellationReasons: [{ Code: "None" }],
    }),
  ),
);
export const DYNAMODB_PIECES = bytesOf(
  ...[
    '{"S":',
    '{"N":"x"}',
    '{"N":1}',
    '{"B":"AA=="}',
    '{"L":[1]}',
    '{"M":null}',
    "null",
    "[]",
    "{}",
    "5",
    '"a"',
    "[null]",
  ],
  ...[
    '"Items":5,',
    '"Item":"a",',
    '"Responses":[],',
    '"LastEvaluatedKey":{},',
    '"UnprocessedKeys":5,',
    "1e999",
    "-",
    '\\"',
  ],
  ...['"BlobSize":{"N":"NaN"},', '"Taken":1,', '"__proto__":', "}", "]", ","],
);

/** How a response begins; most often it is a success. */
const STATUSES = [200, 200, 200, 200, 200, 200, 400, 400, 500, 503, 204, 302, 404, 412] as const;

interface Call {
  readonly name: string;
  readonly run: () => Promise<unknown>;
}

export async function dynamoDbTarget(open = openAwsRecords): Promise<Target> {
  setAwsCredentials();
  const records = await open(CONFIG, OPTIONS);
  const { outbox } = records;
  const page = { before: null, limit: 10 };
  const calls: readonly [Call, ...Call[]] = [
    { name: "read", run: () => records.read(BACKUP) },
    { name: "locate", run: () => records.locate(FACTOR, [NONCE]) },
    { name: "isConsumed", run: () => records.isConsumed([NONCE]) },
    { name: "readDeleted", run: () => records.readDeleted(BACKUP) },
    { name: "readEvents", run: () => records.readEvents(UUID, page) },
    { name: "readToken", run: () => records.readToken("token") },
    { name: "addToCounter", run: () => records.addToCounter("counter", 1, LATER_MS) },
    { name: "consume", run: () => records.consume([NONCE]) },
    { name: "list", run: () => Array.fromAsync(records.list()) },
    { name: "listDeleted", run: () => Array.fromAsync(records.listDeleted()) },
    { name: "listFactors", run: () => Array.fromAsync(records.listFactors()) },
    { name: "installationId", run: () => records.installationId() },
    { name: "lastSeenMs", run: () => records.lastSeenMs() },
    { name: "restores", run: () => records.restores() },
    { name: "due", run: () => outbox.due(3) },
    { name: "backlog", run: () => outbox.backlog() },
  ];
  return {
    name: "responses of DynamoDB",
    oneIn: ONE_IN_OF_STORES,
    corpus: DYNAMODB_CORPUS,
    dictionary: DYNAMODB_PIECES,
    generate: (dice) =>
      Buffer.from(randomJson(dice, ["Item", "Items", "Responses", "S", "N", "BackupId", "PK", "Metadata"])),
    run: (input, dice) =>
      answered(dice.of(calls), input, dice, { "content-type": "application/x-amz-json-1.0" }, "{}"),
  };
}

const LIST = `<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>${BLOB.key}</Key>
<Size>4</Size><LastModified>2026-02-03T04:05:06.000Z</LastModified><ETag>&quot;x&quot;</ETag></Contents></ListBucketResult>`;

export const S3_CORPUS = bytesOf(
  "data",
  LIST,
  UUID,
  "1768478400000",
  "<Error><Code>NoSuchKey</Code><Message>m</Message></Error>",
  "<Error><Code>RequestTimeTooSkewed</Code><ServerTime>2026-02-03T04:35:06Z</ServerTime></Error>",
);
export const S3_PIECES = bytesOf(
  ...[
    "<",
    ">",
    "&",
    "&#x0;",
    "&#99999999;",
    "&lt;",
    "<!DOCTYPE a [<!ENTITY b 'c'>]>",
    "<![CDATA[",
    "]]>",
    "<?",
    "<!--",
  ],
  ...[
    "<Size>NaN</Size>",
    "<Size>-1</Size>",
    "<Key/>",
    "<LastModified>x</LastModified>",
    "<Contents>",
    "</Contents>",
  ],
  ...[
    "<IsTruncated>true</IsTruncated>",
    "<Error>",
    "</Error>",
    "<__proto__>",
    "</__proto__>",
    "<Code>SlowDown</Code>",
  ],
);

export async function s3Target(open = openAwsBlobs): Promise<Target> {
  setAwsCredentials();
  const blobs = await open(CONFIG, OPTIONS);
  const calls: readonly [Call, ...Call[]] = [
    {
      name: "get",
      async run() {
        const stream = await blobs.get(BLOB);
        if (stream !== null) for await (const _piece of stream);
      },
    },
    { name: "put", run: () => blobs.put(BACKUP, contentOf("data")) },
    { name: "delete", run: () => blobs.delete(BLOB.key) },
    {
      name: "list",
      async run() {
        for await (const { key, size, storedAtMs } of blobs.list())
          requireThat(
            /\/blobs\//.test(key) && [size, storedAtMs].every(isCount),
            `listed ${size}, ${storedAtMs}`,
          );
      },
    },
    {
      name: "sizeOf",
      async run() {
        const size = await blobs.sizeOf(BLOB.key);
        requireThat(size === null || isCount(size), `has ${size} bytes`);
      },
    },
    { name: "ready", run: () => blobs.ready() },
    {
      name: "lastSeenMs",
      async run() {
        const seenMs = await blobs.lastSeenMs();
        requireThat(seenMs === null || isCount(seenMs), `was seen at ${seenMs}`);
      },
    },
  ];
  return {
    name: "responses of S3",
    oneIn: ONE_IN_OF_STORES,
    corpus: S3_CORPUS,
    dictionary: S3_PIECES,
    generate: randomList,
    run: (input, dice) => answered(dice.of(calls), input, dice, s3Headers(dice), LIST),
  };
}

function isCount(number: number): boolean {
  return Number.isSafeInteger(number) && number >= 0;
}

async function* contentOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

function s3Headers(dice: Dice): Record<string, string> {
  const numbers = ["4", "0", "-1", "x", "99999999999999999999", "4, 4"] as const;
  const names = [
    "content-length",
    "content-range",
    "etag",
    "last-modified",
    "expires",
    "x-amz-meta-a",
  ] as const;
  if (dice.oneIn(2)) return {};
  return { [dice.of(names)]: dice.of(["bytes 1-3/4", "bytes x", "", ...numbers]) };
}

/** With these the store says that the service has sent a wrong request, which is no outage. */
const WRONG_REQUESTS = new Set([
  "ValidationException",
  "SerializationException",
  "IdempotentParameterMismatchException",
]);

/** Makes a call whose first request gets the input, and each further one an end. */
async function answered(
  { name, run }: Call,
  input: Uint8Array,
  dice: Dice,
  headers: Record<string, string>,
  rest: string,
): Promise<string> {
  const real = globalThis.fetch;
  const status = dice.of(STATUSES);
  let requests = 0;
  const respond = async () =>
    requests++ === 0
      ? new Response(status === 204 ? null : Uint8Array.from(input), { status, headers })
      : new Response(rest);
  globalThis.fetch = Object.assign(respond, { preconnect() {} });
  try {
    await run();
    return ACCEPTED;
  } catch (error) {
    if (error instanceof StorageUnavailable || error instanceof BlobDamaged || error instanceof ChangeRefused)
      return `${name}, ${status}: ${error.cause instanceof Error ? kindOf(error.cause.message) : error.message}`;
    if (error instanceof Error && WRONG_REQUESTS.has(error.name)) return error.name;
    throw new Error(`${name} with status ${status} threw ${error}`, { cause: error });
  } finally {
    globalThis.fetch = real;
  }
}

/** The versions of a record, as they are packed into one text. */
export function packedVersionsTarget(unpack = unpackVersions): Target {
  const packed = [
    [],
    [VERSION],
    [VERSION, { ...VERSION, versionId: "other \ud800", blob: { ...BLOB, key: "k" } }],
  ].map((versions) => Buffer.from(packVersions(BACKUP, versions), "base64url"));
  return {
    name: "packed versions",
    corpus: packed,
    dictionary: [
      ...bytesOf('"', "\\u0000", "null", "1e9", "{}"),
      Buffer.of(0, 0, 0, 0, 2, 34, 34),
      Buffer.of(0, 255, 255, 255, 255),
    ],
    run(input) {
      const text = Buffer.from(input).toString("base64url");
      let found: ReturnType<typeof unpack>;
      try {
        found = unpack(BACKUP, text);
      } catch (error) {
        const isKnown =
          error instanceof SyntaxError || (error instanceof Error && error.constructor === Error);
        requireThat(isKnown, `threw ${error}`);
        return error instanceof Error ? kindOf(error.message) : "";
      }
      const again = unpack(BACKUP, packVersions(BACKUP, found));
      requireThat(Bun.deepEquals(again, found), "is another version when it is packed again");
      return ACCEPTED;
    },
  };
}
