import { expect, test } from "bun:test";
import { LegacyProblem } from "../../../src/backups/legacy/metadata.ts";
import { ownershipOf } from "../../../src/backups/legacy/ownership.ts";
import { asProblem, readBackup } from "../../../src/backups/legacy/read-backup.ts";
import { StorageUnavailable } from "../../../src/storage/contract.ts";
import { type LegacyRow, LegacyTooLarge } from "../../../src/storage/legacy.ts";
import { type LegacyUser, legacyKeypair, legacyUser } from "../../support/legacy-users.ts";

const FACTOR = legacyKeypair();
const LAST_USED = 1_700_000_000;
const issuers = { GOOGLE: "https://google", APPLE: "https://apple" };

/** What is owned, open and taken of a user's main factor and sync factor, by their scopes, and the last use. */
async function ownership(
  user: LegacyUser,
  rows: Readonly<Record<string, LegacyRow>>,
  metadata: (backupId: string) => Promise<string | null> = async () => null,
) {
  const own = { rows: async () => new Map(Object.entries(rows)), metadata };
  const ofUser = async () => JSON.stringify(user.metadata);
  const backup = await readBackup({ source: { ...own, metadata: ofUser }, issuers }, user.id);
  if (backup === null) throw new Error("the user has no backup");
  const found = await ownershipOf({ source: own, issuers }, backup);
  const scopes = (refs: typeof found.owned): string[] => refs.map(({ scope }) => scope);
  return {
    owned: scopes(found.owned),
    open: scopes(found.open),
    taken: scopes(found.taken),
    lastUsedAt: found.metadata.syncFactors.map(({ lastUsedAt }) => lastUsedAt),
  };
}

const user = legacyUser({ mains: [FACTOR] });
const [main = { key: "" }, sync = { key: "" }] = user.rows;
const other = legacyUser({ mains: [FACTOR] });
const leading = (backupId: string) => ({ [main.key]: { backupId, lastUsedAt: null } });
const NOT_OWNED = { owned: [], lastUsedAt: [undefined] };

test("factors whose rows lead to the backup are owned, with when they were last used", async () => {
  const rows = {
    ...leading(user.id),
    [sync.key]: { backupId: user.id, lastUsedAt: LAST_USED },
  };
  expect(await ownership(user, rows)).toEqual({
    owned: ["MAIN", "SYNC"],
    open: [],
    taken: [],
    lastUsedAt: [LAST_USED],
  });
});

test("a use that the table does not know, or knows of another backup, is not taken over", async () => {
  const of = async (row: LegacyRow) => (await ownership(user, { [sync.key]: row })).lastUsedAt;
  expect(await of({ backupId: user.id, lastUsedAt: null })).toEqual([undefined]);
  expect(await of({ backupId: other.id, lastUsedAt: LAST_USED })).toEqual([undefined]);
});

test.each<[string, string | null, () => Promise<string | null>, "open" | "taken"]>([
  ["no row", null, async () => null, "open"],
  ["the row of what is no backup", "logs", () => Promise.reject(new Error("was read")), "open"],
  ["the row of a backup that is gone", other.id, async () => null, "open"],
  [
    "the row of a backup without it",
    other.id,
    async () => JSON.stringify(legacyUser({ id: other.id }).metadata),
    "open",
  ],
  ["the row of a backup with it", other.id, async () => JSON.stringify(other.metadata), "taken"],
  ["the row of a backup that cannot be read", other.id, async () => "no JSON", "taken"],
])("a factor with %s", async (_what, backupId, metadata, result) => {
  const rows = backupId === null ? {} : leading(backupId);
  const expected =
    result === "open" ? { open: ["MAIN", "SYNC"], taken: [] } : { open: ["SYNC"], taken: ["MAIN"] };
  expect(await ownership(user, rows, metadata)).toEqual({ ...NOT_OWNED, ...expected });
});

test("an outage is none of these", async () => {
  const outage = new StorageUnavailable("an outage");
  const unread = ownership(user, leading(other.id), () => Promise.reject(outage));
  expect(await unread.catch((error: unknown) => error)).toBe(outage);
});

test.each([null, "archive_1"])("the archive of a backup is %p", async (archiveId) => {
  const stored = legacyUser({ archiveId });
  const metadata = async () => JSON.stringify(stored.metadata);
  const source = { metadata, rows: async () => new Map<string, LegacyRow>() };
  expect((await readBackup({ source, issuers }, stored.id))?.archiveId).toBe(archiveId);
});

test("an id of no known form is a problem, and the source is not asked for it", async () => {
  const metadata = () => Promise.reject(new Error("was read"));
  const source = { metadata, rows: async () => new Map<string, LegacyRow>() };
  const error = await readBackup({ source, issuers }, "../logs").catch((thrown: unknown) => thrown);
  expect(error).toEqual(new LegacyProblem("the id has none of the known forms"));
});

test("an object that cannot be used is a problem of the backup, and any other error is none", async () => {
  const errorOf = (error: Error) => asProblem(() => Promise.reject(error)).catch((thrown: unknown) => thrown);
  expect(await errorOf(new LegacyTooLarge(1))).toBeInstanceOf(LegacyProblem);
  const outage = new StorageUnavailable("an outage");
  expect(await errorOf(outage)).toBe(outage);
});
