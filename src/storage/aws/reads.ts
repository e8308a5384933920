/** Reads of the tables, strongly consistent by default, with retries. */
import {
  BatchGetItemCommand,
  GetItemCommand,
  QueryCommand,
  type QueryCommandInput,
  ScanCommand,
  type ScanCommandOutput,
} from "@aws-sdk/client-dynamodb";
import type { DynamoDbSender } from "./clients.ts";
import { pagesOf } from "./pages.ts";
import { type Attempt, TryAgain } from "./retry.ts";
import { type Item, malformed } from "./tables.ts";

export interface TableReads {
  /** An item; `null` when there is none. */
  item(table: string, key: Item): Promise<Item | null>;
  /** Items of several tables, by the name of the table, in one call. Those that are not there are left out. */
  items(wanted: Readonly<Record<string, readonly Item[]>>): Promise<ReadonlyMap<string, readonly Item[]>>;
  /**
   * Every item of a table with these attributes, page by page.
   *
   * @param after the key of an item that another scan had, there or not: begins after it in the order of that scan.
   */
  scan(purpose: string, table: string, attributes: string, after?: Item): AsyncIterable<Item>;
  /**
   * The items of a partition that a query selects, page by page. A page may be empty. The key after which the first page
   * begins need not be that of an item.
   */
  query(purpose: string, query: QueryCommandInput): AsyncIterable<readonly Item[]>;
}

type Page = Pick<ScanCommandOutput, "Items" | "LastEvaluatedKey">;

export function createTableReads(client: DynamoDbSender, attempt: Attempt): TableReads {
  return {
    async item(table, key) {
      const command = new GetItemCommand({ TableName: table, Key: key, ConsistentRead: true });
      const { Item } = await attempt("the record could not be read", (abortSignal) =>
        client.send(command, { abortSignal }),
      );
      return Item === undefined ? null : requireItem(Item, [key]);
    },

    async items(wanted) {
      const found = new Map<string, Item[]>();
      let missing = requestFor(Object.entries(wanted));
      if (Object.keys(missing).length === 0) return found;
      await attempt("the index could not be read", async (abortSignal) => {
        const command = new BatchGetItemCommand({ RequestItems: missing });
        const { Responses, UnprocessedKeys } = await client.send(command, { abortSignal });
        for (const [table, items] of Object.entries(Responses ?? lacking("the items"))) {
          for (const item of items) requireItem(item, wanted[table] ?? []);
          found.set(table, [...(found.get(table) ?? []), ...items]);
        }
        missing = requestFor(
          Object.entries(UnprocessedKeys ?? {}).map(([table, { Keys = [] }]) => [table, Keys] as const),
        );
        if (Object.keys(missing).length > 0) throw new TryAgain("DynamoDB left keys unprocessed");
      });
      return found;
    },

    async *scan(purpose, table, attributes, after) {
      const scan = {
        TableName: table,
        ConsistentRead: true, // an item that existed before the scan began must not be missed
        ProjectionExpression: attributes,
      };
      const pages = itemPages(purpose, after, (start, abortSignal) =>
        client.send(new ScanCommand({ ...scan, ...start }), { abortSignal }),
      );
      for await (const items of pages) yield* items;
    },

    query(purpose, { ExclusiveStartKey: first, ...query }) {
      return itemPages(purpose, first, (start, abortSignal) =>
        client.send(new QueryCommand({ ConsistentRead: true, ...query, ...start }), { abortSignal }),
      );
    },
  };

  function itemPages(
    purpose: string,
    first: Item | undefined,
    read: (start: { ExclusiveStartKey?: Item }, abortSignal: AbortSignal) => Promise<Page>,
  ): AsyncGenerator<readonly Item[]> {
    return pagesOf(purpose, first, (mark) =>
      attempt(purpose, async (abortSignal) => {
        const page = await read(mark === undefined ? {} : { ExclusiveStartKey: mark }, abortSignal);
        return { page: page.Items ?? lacking("the items"), next: page.LastEvaluatedKey };
      }),
    );
  }
}

function requestFor(keys: readonly (readonly [table: string, keys: readonly Item[]])[]) {
  const wanted = keys.filter(([, ofTable]) => ofTable.length > 0);
  return Object.fromEntries(
    wanted.map(([table, ofTable]) => [table, { Keys: [...ofTable], ConsistentRead: true }]),
  );
}

/** An item under one of the keys that are wanted: that of another request is not what is stored. @throws StorageUnavailable */
export function requireItem(item: Item, wanted: readonly Item[]): Item {
  const isWanted = wanted.some((key) =>
    Object.entries(key).every(([name, value]) => item[name]?.S === value.S),
  );
  return isWanted ? item : malformed(Object.keys(wanted[0] ?? {}).join(" or "));
}

/** A response lacks a member that DynamoDB always sends. @throws TryAgain */
export function lacking(what: string): never {
  throw new TryAgain(`a response of DynamoDB lacks ${what}`);
}
