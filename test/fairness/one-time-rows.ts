import { Database } from "bun:sqlite";
import { join } from "node:path";
import { DynamoDBClient, paginateScan } from "@aws-sdk/client-dynamodb";

/** How many nonces and tokens a storage holds, with those that have expired and are not deleted yet. */
export async function oneTimeRows(env: Readonly<Record<string, string>>): Promise<number> {
  const { DATA_DIR = "", DYNAMODB_TABLE_ONE_TIME: TableName, AWS_REGION, AWS_ENDPOINT_URL_DYNAMODB } = env;
  if (TableName === undefined) {
    using database = new Database(join(DATA_DIR, "records.sqlite"), { readonly: true });
    return database.query<{ rows: number }, []>("SELECT count(*) AS rows FROM one_time").get()?.rows ?? 0;
  }
  const client = new DynamoDBClient({
    ...(AWS_REGION === undefined ? {} : { region: AWS_REGION }),
    ...(AWS_ENDPOINT_URL_DYNAMODB === undefined ? {} : { endpoint: AWS_ENDPOINT_URL_DYNAMODB }),
  });
  let rows = 0;
  for await (const { Count } of paginateScan({ client }, { TableName, Select: "COUNT" })) rows += Count ?? 0;
  client.destroy();
  return rows;
}
