/** What the contract suites share: an empty storage with stores and a clock, and short ways to make changes. */
import { createHash } from "node:crypto";
import { type Random, systemRandom } from "../../src/runtime/clock.ts";
import type { Nonce } from "../../src/runtime/nonce.ts";
import { timeOrderedId } from "../../src/runtime/time-ordered-id.ts";
import type {
  BackupRecord,
  Change,
  DeletedBackup,
  FactorRef,
  JsonObject,
  NewEvent,
  RecordStore,
  StoredEvent,
  StoredVersion,
  SyncFactorToken,
} from "../../src/storage/contract.ts";
import type { Stores, TestStorage } from "../drivers.ts";
import { SettableClock } from "../support/settable-clock.ts";

/** The suites run on whatever storage this makes; each test asks for its own. */
export type NewStorage = () => Promise<TestStorage>;

export interface Fixture extends Stores {
  readonly storage: TestStorage;
  readonly clock: SettableClock;
  /** A second pair of stores on the same storage. */
  openAnother(): Promise<Stores>;
}

export async function openFixture(newStorage: NewStorage, random: Random = systemRandom): Promise<Fixture> {
  const clock = new SettableClock();
  const storage = await newStorage();
  const stores = await storage.open({ clock, random });
  return {
    storage,
    clock,
    records: stores.records,
    blobs: stores.blobs,
    openAnother: () => storage.open({ clock, random }),
    async [Symbol.asyncDispose]() {
      await stores[Symbol.asyncDispose]();
      await storage[Symbol.asyncDispose]();
    },
  };
}

export const MINUTE_MS = 60_000;

export const main = (key: string): FactorRef => ({ scope: "MAIN", key });
export const sync = (key: string): FactorRef => ({ scope: "SYNC", key });

/** A record that its label identifies. */
export function record(label: string, metadata: JsonObject = {}): BackupRecord {
  const sha256 = createHash("sha256").update(label).digest("hex");
  const blob = { key: `blob of ${label}`, size: label.length, sha256 };
  return { blob, metadata: { label, ...metadata }, versions: [] };
}

/** A version whose blob its label identifies. */
export function version(label: string): StoredVersion {
  const { blob } = record(label);
  return { versionId: label, manifestHash: blob.sha256, createdAtMs: 1, replacedAtMs: 2, blob };
}

const DAY_MS = 24 * 60 * MINUTE_MS;

/** A deleted state that is kept for a day from now. */
export function kept(
  label: string,
  clock: SettableClock,
  change: Partial<DeletedBackup> = {},
): DeletedBackup {
  return {
    ...record(label),
    deletionId: uuidOf(label),
    deletedAtMs: clock.nowMs(),
    keepUntilMs: clock.nowMs() + DAY_MS,
    deletedBy: "thief",
    logId: null,
    ...change,
  };
}

/** An event of now in the log of that label, which expires after a day and is not delivered. */
export function event(log: string, clock: SettableClock, change: Partial<NewEvent> = {}): NewEvent {
  const atMs = change.atMs ?? clock.nowMs();
  return {
    id: timeOrderedId(atMs, 0, systemRandom),
    logId: uuidOf(log),
    backupId: "b1",
    atMs,
    expiresAtMs: atMs + DAY_MS,
    body: { kind: "CREATED" },
    deliverFromMs: null,
    ...change,
  };
}

/** A UUID that its label identifies. */
export function uuidOf(label: string): string {
  const hex = createHash("sha256").update(label).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** All deleted states of a backup, the latest first. */
export async function deletedOf(records: RecordStore, backupId: string): Promise<DeletedBackup[]> {
  const states: DeletedBackup[] = [];
  for (let page = await records.readDeleted(backupId); page.length > 0; ) {
    states.push(...page);
    page = await records.readDeleted(backupId, page.at(-1));
  }
  return states;
}

/** The newest hundred events of a log. */
export async function eventsOf(records: RecordStore, log: string): Promise<readonly StoredEvent[]> {
  return (await records.readEvents(uuidOf(log), { before: null, limit: 100 })).events;
}

/** What {@link RecordStore.readEvents} shows of an event. */
export function shown({ id, backupId, atMs, body }: StoredEvent): StoredEvent {
  return { id, backupId, atMs, body };
}

/** A nonce whose use is remembered for a minute. */
export function once(id: string, clock: SettableClock): Nonce {
  return { id, expiresAtMs: clock.nowMs() + MINUTE_MS };
}

/** A sync factor token that expires after a minute. */
export function token(id: string, backupId: string, clock: SettableClock): SyncFactorToken {
  return { ...once(id, clock), backupId, holder: "holder" };
}

/** Stores a new backup and returns its revision. */
export async function create(
  records: RecordStore,
  backupId: string,
  change: Partial<Change> = {},
): Promise<string> {
  const outcome = await records.commit({ backupId, expect: "absent", next: record(backupId), ...change });
  if (outcome !== "committed") throw new Error(`${backupId} was not created: ${outcome}`);
  return revisionOf(records, backupId);
}

export async function revisionOf(records: RecordStore, backupId: string): Promise<string> {
  const stored = await records.read(backupId);
  if (stored === null) throw new Error(`${backupId} is not stored`);
  return stored.revision;
}

/** The label of the record stored for a backup, `null` when there is none. */
export async function labelOf(records: RecordStore, backupId: string): Promise<unknown> {
  return (await records.read(backupId))?.metadata.label ?? null;
}

/** Which backup a factor leads to. */
export async function backupOf(records: RecordStore, factor: FactorRef): Promise<string | null> {
  return (await records.locate(factor, [])).backupId;
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  return Array.fromAsync(items);
}

/** Runs `run` with 0, 1, … `width - 1`, all at once. */
export function atOnce<T>(width: number, run: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: width }, (_, index) => run(index)));
}
