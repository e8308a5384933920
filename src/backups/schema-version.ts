/**
 * The schema version of stored metadata is its member `schemaVersion`. Version 1 is stored without it, like all metadata
 * from before versions existed. So after a rollback, an earlier release can read what this one wrote.
 *
 * A new optional member needs no new version, since releases that do not know it keep it. A version is for a change that
 * they would misread: they refuse such metadata and leave it as it is, until a release that knows the version runs again.
 */
import { ServiceError } from "../errors.ts";
import type { JsonObject } from "../storage/contract.ts";

/** From one version to the next. Pure; keeps unknown members. */
export type Migration = (metadata: JsonObject) => JsonObject;

/** The first leads from version 1 to 2. One that was released is never edited: a change is a new one. */
export const MIGRATIONS: readonly Migration[] = [];

/** A newer release stored the metadata, which is neither missing nor damaged: the request may be repeated later. */
export class NewerSchema extends ServiceError {
  constructor(version: number, known: number) {
    super(
      "service_unavailable",
      `stored metadata has schema version ${version}, this version of the service knows ${known}: start a newer one`,
    );
    this.name = "NewerSchema";
  }
}

/**
 * Brings stored metadata to the current version.
 *
 * @throws NewerSchema; Error when the version is no positive integer.
 */
export function migrated(stored: JsonObject, migrations: readonly Migration[]): JsonObject {
  const version = versionOf(stored);
  const current = migrations.length + 1;
  if (version > current) throw new NewerSchema(version, current);
  return migrations.slice(version - 1).reduce((metadata, migrate) => migrate(metadata), stored);
}

/** Metadata of the current version, as it is stored. */
export function withSchemaVersion(metadata: JsonObject, migrations: readonly Migration[]): JsonObject {
  const current = migrations.length + 1;
  return current === 1 ? metadata : { ...metadata, schemaVersion: current };
}

/** Whether a newer release stored this metadata, so that this one cannot tell what it refers to. */
export function isOfNewerSchema(stored: JsonObject, migrations: readonly Migration[] = MIGRATIONS): boolean {
  return versionOf(stored) > migrations.length + 1;
}

/** The schema version of stored metadata; `null` when it is no positive integer. */
export function versionIn({ schemaVersion = 1 }: JsonObject): number | null {
  return typeof schemaVersion === "number" && Number.isSafeInteger(schemaVersion) && schemaVersion >= 1
    ? schemaVersion
    : null;
}

function versionOf(metadata: JsonObject): number {
  const version = versionIn(metadata);
  if (version === null) throw new Error("the schema version of stored metadata is no positive integer");
  return version;
}
