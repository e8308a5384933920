/** What a version of the service has stored, in a file; and how it gets from a storage into the file and back. */

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { DriverName, TestStorage } from "../drivers.ts";
import type { RequestBody } from "../support/api-client.ts";
import { newAwsStorage } from "../support/aws-storage.ts";
import { newLocalStorage } from "../support/local-storage.ts";
import { type AwsDump, dumpStores, loadStores } from "./aws-dump.ts";
import { dumpFolder, type LocalDump, loadFolder } from "./local-dump.ts";
import type { SavedKey, SavedPerson } from "./people.ts";

export interface Fixture {
  /** The version whose code has stored it. */
  readonly version: string;
  /** The service's time when it ended. */
  readonly endedAtMs: number;
  readonly people: readonly SavedPerson[];
  /** What clients had from the service when it ended. */
  readonly inFlight: {
    /** A request to verify a factor that was about to be sent. */
    readonly verification: RequestBody;
    /** What a device that has recovered is about to join with. */
    readonly joining: { readonly syncFactorToken: string; readonly key: SavedKey };
  };
  /** The events that the webhook had not taken. */
  readonly undelivered: number;
  readonly stored: LocalDump | AwsDump;
}

const FOLDER = join(import.meta.dir, "fixtures");

/** Those of all versions. */
export async function fixturesOf(driver: DriverName): Promise<readonly Fixture[]> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith(`-${driver}.json.gz`));
  return Promise.all(names.toSorted().map(read));
}

async function read(name: string): Promise<Fixture> {
  const bytes = new Uint8Array(await Bun.file(join(FOLDER, name)).arrayBuffer());
  return JSON.parse(new TextDecoder().decode(Bun.gunzipSync(bytes)));
}

export async function writeFixture(driver: DriverName, fixture: Fixture): Promise<string> {
  const path = join(FOLDER, `${fixture.version}-${driver}.json.gz`);
  await Bun.write(path, Bun.gzipSync(Buffer.from(JSON.stringify(fixture)), { level: 9 }));
  return path;
}

/** An empty storage, and how what is stored in it gets out. */
export async function dumpableStorage(
  driver: DriverName,
): Promise<{ readonly storage: TestStorage; dump(): Promise<Fixture["stored"]> }> {
  if (driver === "aws") {
    const storage = await newAwsStorage();
    return { storage, dump: () => dumpStores(storage.config) };
  }
  const storage = await newLocalStorage();
  return { storage, dump: () => dumpFolder(storage.dataDir) };
}

/** A storage with what a version has stored. */
export async function storageOf({ stored }: Fixture): Promise<TestStorage> {
  if (stored.driver === "aws") {
    const storage = await newAwsStorage();
    await loadStores(stored, storage.config);
    return storage;
  }
  const storage = await newLocalStorage();
  await loadFolder(stored, storage.dataDir);
  return storage;
}
