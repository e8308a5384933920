/**
 * A proxy in front of DynamoDB that counts the units of each request by DynamoDB's rules (Developer Guide, "DynamoDB read
 * and write operations"). DynamoDB Local reports less: it does not count transactions twice, nor items that do not exist.
 */
import { type AttributeValue, DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";

export interface Units {
  /** Requests. */
  readonly calls: number;
  /** Strongly consistent reads of up to 4 KiB. */
  readonly reads: number;
  /** Writes of up to 1 KiB; in a transaction each counts twice. */
  readonly writes: number;
}

export interface UnitCounter extends AsyncDisposable {
  readonly url: string;
  /** What was counted so far. */
  counted(): Units;
}

type Item = Readonly<Record<string, AttributeValue>>;

/** What a write names: the item to put, or the key of one to update or delete. */
interface Write {
  readonly TableName?: string;
  readonly Item?: Item;
  readonly Key?: Item;
}

interface Request extends Write {
  readonly TransactItems?: readonly Readonly<Record<string, Write>>[];
  readonly ConsistentRead?: boolean;
  readonly RequestItems?: Readonly<Record<string, { readonly Keys: readonly Item[] }>>;
}

interface Answer {
  readonly Item?: Item;
  readonly Items?: readonly Item[];
  readonly Responses?: Readonly<Record<string, readonly Item[]>>;
}

const READ_BYTES = 4_096;
const WRITE_BYTES = 1_024;
const WRITES = new Set(["PutItem", "UpdateItem", "DeleteItem"]);
/** Only items of the table of backups have no PK, and only those of the history have an SK. */
const keysOf = (item: Item) => ("PK" in item ? ["PK", "SK"] : ["BackupId"]);

/** @param target the endpoint of DynamoDB. */
export function startUnitCounter(target: string): UnitCounter {
  const client = new DynamoDBClient({ region: "eu-west-1", endpoint: target });
  const units = { calls: 0, reads: 0, writes: 0 };

  async function writesOf(operation: string, request: Request): Promise<number> {
    if (WRITES.has(operation)) return writesOfOne(request);
    const writes = (request.TransactItems ?? []).flatMap((step) => Object.values(step));
    return 2 * sum(await Promise.all(writes.map(writesOfOne)));
  }

  /** An item counts by its size before or after, whichever is larger. */
  async function writesOfOne({ TableName, Item = {}, Key = Item }: Write): Promise<number> {
    const keys = keysOf(Key);
    const key = Object.fromEntries(Object.entries(Key).filter(([attribute]) => keys.includes(attribute)));
    const before = await client.send(new GetItemCommand({ TableName, Key: key, ConsistentRead: true }));
    return blocks(Math.max(sizeOf(before.Item), sizeOf(Item)), WRITE_BYTES);
  }

  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(incoming) {
      const operation = incoming.headers.get("x-amz-target")?.split(".")[1] ?? "";
      const body = await incoming.text();
      const request: Request = JSON.parse(body);
      units.calls++;
      units.writes += await writesOf(operation, request);
      const response = await fetch(target, { method: "POST", headers: incoming.headers, body });
      const text = await response.text();
      units.reads += readsOf(operation, request, JSON.parse(text));
      return new Response(text, { status: response.status, headers: response.headers });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    counted: () => ({ ...units }),
    async [Symbol.asyncDispose]() {
      await server.stop(true);
      client.destroy();
    },
  };
}

/** An item that does not exist counts as the smallest. */
function readsOf(
  operation: string,
  { RequestItems = {}, ConsistentRead = false }: Request,
  answer: Answer,
): number {
  if (operation === "GetItem") return blocks(sizeOf(answer.Item), READ_BYTES);
  if (operation === "Query")
    return blocks(sum((answer.Items ?? []).map(sizeOf)), READ_BYTES) / (ConsistentRead ? 1 : 2);
  return sum(
    Object.entries(RequestItems).map(([table, { Keys }]) => {
      const found = answer.Responses?.[table] ?? [];
      return sum(found.map((item) => blocks(sizeOf(item), READ_BYTES))) + Keys.length - found.length;
    }),
  );
}

function blocks(bytes: number, blockBytes: number): number {
  return Math.max(1, Math.ceil(bytes / blockBytes));
}

/** Names and values in UTF-8; a number has a byte for each two digits and one more. */
function sizeOf(item: Item = {}): number {
  return sum(
    Object.entries(item).map(([name, { S, N }]) => {
      if (S !== undefined) return Buffer.byteLength(name) + Buffer.byteLength(S);
      return Buffer.byteLength(name) + (N === undefined ? 1 : Math.ceil(N.length / 2) + 1);
    }),
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
