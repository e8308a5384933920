/** Strongly consistent reads of the tables, with retries. */
import { BatchGetItemCommand, GetItemCommand, ScanCommand } from "@aws-sdk/client-dynamodb";
import type { DynamoDbSender } from "./clients.ts";
import { type Attempt, TryAgain } from "./retry.ts";
import type { Item } from "./tables.ts";

export interface TableReads {
  /** An item; `null` when there is none. */
  item(table: string, key: Item): Promise<Item | null>;
  /** Items of several tables, by the name of the table, in one call. Those that are not there are left out. */
  items(wanted: Readonly<Record<string, readonly Item[]>>): Promise<ReadonlyMap<string, readonly Item[]>>;
  /** Every item of a table with these attributes, page by page. */
  scan(purpose: string, table: string, attributes: string): AsyncIterable<Item>;
}

export function createTableReads(client: DynamoDbSender, attempt: Attempt): TableReads {
  return {
    async item(table, key) {
      const command = new GetItemCommand({ TableName: table, Key: key, ConsistentRead: true });
      const { Item } = await attempt("the record could not be read", (abortSignal) =>
        client.send(command, { abortSignal }),
      );
      return Item ?? null;
    },

    async items(wanted) {
      const found = new Map<string, Item[]>();
      let missing = requestFor(Object.entries(wanted));
      if (Object.keys(missing).length === 0) return found;
      await attempt("the index could not be read", async (abortSignal) => {
        const command = new BatchGetItemCommand({ RequestItems: missing });
        const { Responses, UnprocessedKeys } = await client.send(command, { abortSignal });
        for (const [table, items] of Object.entries(Responses ?? lacking("the items")))
          found.set(table, [...(found.get(table) ?? []), ...items]);
        missing = requestFor(
          Object.entries(UnprocessedKeys ?? {}).map(([table, { Keys = [] }]) => [table, Keys] as const),
        );
        if (Object.keys(missing).length > 0) throw new TryAgain("DynamoDB left keys unprocessed");
      });
      return found;
    },

    async *scan(purpose, table, attributes) {
      let next: Item | undefined;
      do {
        const start = next === undefined ? {} : { ExclusiveStartKey: next };
        const command = new ScanCommand({
          TableName: table,
          ConsistentRead: true, // an item that existed before the scan began must not be missed
          ProjectionExpression: attributes,
          ...start,
        });
        const { items, last } = await attempt(purpose, async (abortSignal) => {
          const page = await client.send(command, { abortSignal });
          return { items: page.Items ?? lacking("the items"), last: page.LastEvaluatedKey };
        });
        yield* items;
        next = last;
      } while (next !== undefined);
    },
  };
}

function requestFor(keys: readonly (readonly [table: string, keys: readonly Item[]])[]) {
  const wanted = keys.filter(([, ofTable]) => ofTable.length > 0);
  return Object.fromEntries(
    wanted.map(([table, ofTable]) => [table, { Keys: [...ofTable], ConsistentRead: true }]),
  );
}

/** Has the attempt repeated, because a response lacks a member that DynamoDB always sends. */
export function lacking(what: string): never {
  throw new TryAgain(`a response of DynamoDB lacks ${what}`);
}
