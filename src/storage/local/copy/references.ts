/** Which ciphertexts a database refers to, as SQL: it may be attached under a name, and be of an earlier schema. */
import type { Database } from "bun:sqlite";
import { FIRST_SCHEMA_WITH_HISTORY } from "../migrations.ts";

export type SchemaName = "main" | "live";

/** The tables with states of backups, and what they have as versions. Databases of earlier schemas have none. */
export interface StateTable {
  readonly name: string;
  readonly versions: string;
}

export function stateTables(database: Database, schema: SchemaName): readonly StateTable[] {
  const version = database.query<{ user_version: number }, []>(`PRAGMA ${schema}.user_version`).get();
  if ((version?.user_version ?? 0) < FIRST_SCHEMA_WITH_HISTORY)
    return [{ name: `${schema}.backups`, versions: "'[]'" }];
  return [`${schema}.backups`, `${schema}.deleted_backups`].map((name) => ({ name, versions: "versions" }));
}

/** A query for `backupId`, `key`, `size` and `sha256` of every ciphertext that a state refers to. */
export function references(database: Database, schema: SchemaName): string {
  const blob = (member: string) => `json_extract(value, '$.blob.${member}')`;
  return stateTables(database, schema)
    .flatMap(({ name, versions }) => [
      `SELECT backup_id AS backupId, blob_key AS key, blob_size AS size, blob_sha256 AS sha256 FROM ${name}`,
      `SELECT backup_id, ${blob("key")}, ${blob("size")}, ${blob("sha256")} FROM ${name}, json_each(${versions})`,
    ])
    .join(" UNION ALL ");
}
