import { describe, expect, test } from "bun:test";
import { type ExportRun, exportBackups } from "../../../src/maintenance/export/export.ts";
import { importBackups, verifyImport } from "../../../src/maintenance/import/import.ts";
import { newImportCounts } from "../../../src/maintenance/import/run.ts";
import { systemClock, systemRandom } from "../../../src/runtime/clock.ts";
import { openLegacySource } from "../../../src/storage/aws/legacy/source.ts";
import { openLegacyTarget } from "../../../src/storage/aws/legacy/target.ts";
import { type BlobStore, factorKeys, type RecordStore } from "../../../src/storage/contract.ts";
import { DRIVERS, type Stores } from "../../drivers.ts";
import {
  created,
  factorService,
  newAccount,
  newKeypair,
  newPasskey,
  recoveredBy,
  undeletion,
} from "../../support/factors.ts";
import { addVersion, pruneVersions } from "../../support/history.ts";
import { LEGACY_OPTIONS, type LegacyStores, newLegacyStores } from "../../support/legacy-stores.ts";
import { legacyKeypair, legacyUser, usersOfEveryForm } from "../../support/legacy-users.ts";
import { onceBefore, replaced } from "../../support/store-wrappers.ts";
import { indexedAs, rewriteMetadata, storedRecord } from "../../support/stored.ts";
import { replacedContent, solved } from "../../support/users.ts";

const ISSUERS = { GOOGLE: "https://accounts.google.com", APPLE: "https://appleid.apple.com" };

type Records = Pick<Stores, "records" | "blobs">;

async function exported({ records, blobs }: Records, to: LegacyStores, change: Partial<ExportRun> = {}) {
  await using target = openLegacyTarget(to.location, LEGACY_OPTIONS);
  const counts = { seen: 0, exported: 0, alreadyThere: 0 };
  const run = { records, blobs, target, issuers: ISSUERS, replace: false, dryRun: false, counts, ...change };
  return { findings: await Array.fromAsync(exportBackups(run)), ...counts };
}

async function imported(stores: Records, from: LegacyStores, verify = false) {
  await using source = openLegacySource(from.location, LEGACY_OPTIONS);
  const clocks = { clock: systemClock, random: systemRandom };
  const run = {
    ...clocks,
    source,
    stores,
    issuers: ISSUERS,
    since: null,
    dryRun: false,
    counts: newImportCounts(),
  };
  return Array.fromAsync(verify ? verifyImport(run, stores) : importBackups(run));
}

/** Everything that makes up the backups, without what is fresh at each commit, and without the log, which stays where it is. */
async function contentOf({ records, blobs }: Records) {
  const backups = new Map<string, unknown>();
  for await (const { backupId } of records.list()) {
    const stored = await records.read(backupId);
    if (stored === null) throw new Error("the backup is gone");
    const content = await new Response(await blobs.get(stored.blob)).bytes();
    const { logId: _log, ...metadata } = stored.metadata;
    backups.set(backupId, { metadata, content: Buffer.from(content).toString("hex") });
  }
  const rows: string[] = [];
  for await (const { factor, backupId } of records.listFactors())
    rows.push(`${factor.scope} ${factor.key} ${backupId}`);
  return { backups, rows: rows.sort() };
}

for (const driver of DRIVERS)
  describe(`export on ${driver.name}`, () => {
    const { service, issuer } = factorService(driver);

    test("an import of an export is the identity, also for backups that were made here", async () => {
      await using source = await newLegacyStores();
      await using legacy = await newLegacyStores();
      const { services, client } = service();
      const mains = [
        newPasskey(),
        newPasskey({ counter: 7, deviceBound: true }),
        newPasskey({ algorithm: "RS256" }),
        newAccount("GOOGLE", issuer),
        newAccount("APPLE", issuer),
        newKeypair(),
      ];
      for (const main of mains) {
        const { account } = await created(client, main);
        await recoveredBy(client, main);
        await rewriteMetadata(services, account.backupAccountId, (stored) => ({
          ...stored,
          mainFactorRemovedAtMs: 5,
          future: { member: true },
        }));
      }
      await source.add(...usersOfEveryForm(issuer));
      expect(await imported(services.stores, source)).toEqual([]);

      const before = await contentOf(services.stores);
      expect(before.backups.size).toBeGreaterThan(20);
      const first = await exported(services.stores, legacy);
      expect(first).toMatchObject({ findings: [], exported: before.backups.size, alreadyThere: 0 });
      expect(await imported(services.stores, legacy, true)).toEqual([]);

      await using copy = await driver.openStores({ clock: systemClock, random: systemRandom });
      expect(await imported(copy, legacy)).toEqual([]);
      expect(await contentOf(copy)).toEqual(before);
      expect(await contentOf(services.stores)).toEqual(before);
      const again = await exported(copy, legacy);
      expect(again).toMatchObject({ findings: [], exported: 0, alreadyThere: before.backups.size });
    });

    test("an export has the current content alone, and takes nothing from what is kept here", async () => {
      await using legacy = await newLegacyStores();
      await using copy = await driver.openStores({ clock: systemClock, random: systemRandom });
      const { services, client } = service();
      const { user } = await replacedContent(client, await created(client, newKeypair()));
      const gone = await created(client, newKeypair());
      (await client.deleteBackup(await solved(client, "delete-backup", gone.sync))).ok();
      expect((await exported(services.stores, legacy)).findings).toEqual([]);
      expect(await imported(copy, legacy)).toEqual([]);
      const id = user.account.backupAccountId;
      const [here, there] = [await storedRecord(services, id), await storedRecord(copy, id)];
      expect(there.blob.sha256).toBe(here.blob.sha256);
      expect({ here: here.versions.length, there: there.versions }).toEqual({ here: 1, there: [] });
      expect(await copy.records.read(gone.account.backupAccountId)).toBeNull();
      expect((await undeletion(client, gone)).status).toBe(200);
    });

    test("what was taken over comes back as it was, but for what must not be kept", async () => {
      await using source = await newLegacyStores();
      await using legacy = await newLegacyStores();
      await using stores = await driver.openStores({ clock: systemClock, random: systemRandom });
      const users = usersOfEveryForm(issuer);
      await source.add(...users);
      await imported(stores, source);
      expect(await exported(stores, legacy)).toMatchObject({ findings: [], exported: users.length });
      await using target = openLegacyTarget(legacy.location, LEGACY_OPTIONS);
      for (const { id, metadata, content, rows } of users) {
        const text = (await target.metadata(id)) ?? "";
        const back = JSON.parse(text);
        expect(Buffer.from((await target.ciphertext(id, back.archiveId)) ?? [])).toEqual(
          Buffer.from(content),
        );
        expect(text).not.toContain('"email"');
        expect(text).not.toContain("U0VDUkVU");
        expect(comparable(back)).toEqual(comparable(metadata));
        const found = await legacy.contents();
        for (const { key, lastUsedAt } of rows)
          expect(JSON.parse(found.get(key) ?? "null")).toMatchObject({
            BackupId: { S: id },
            ...(lastUsedAt === undefined ? {} : { LastUsedAt: { N: `${lastUsedAt}` } }),
          });
      }
    });

    test("writes over another state only if it is told to, and never leads a factor away from another backup", async () => {
      await using legacy = await newLegacyStores();
      await using stores = await driver.openStores({ clock: systemClock, random: systemRandom });
      await using source = await newLegacyStores();
      const users = usersOfEveryForm(issuer).slice(0, 2);
      await source.add(...users);
      await imported(stores, source);
      const [one, two] = users.map(({ id }) => id);
      await legacy.putObject(`${one}/metadata`, "{}");
      const taken = users[1]?.rows[0]?.key ?? "";
      await legacy.putRow(taken, "somebody else");
      const dry = await exported(stores, legacy, { dryRun: true });
      expect(dry).toMatchObject({ exported: 1, findings: [{ backupId: one }] });
      expect((await legacy.contents()).size).toBe(2);
      const first = await exported(stores, legacy);
      expect(first.findings.map(({ backupId }) => backupId).sort()).toEqual([one ?? "", two ?? ""].sort());
      expect((await legacy.contents()).get(`${one}/metadata`)).toBe("{}");
      expect((await legacy.contents()).get(taken)).toContain("somebody else");
      const second = await exported(stores, legacy, { replace: true });
      expect(second).toMatchObject({ findings: [], exported: 1, alreadyThere: 1 });
      expect((await legacy.contents()).get(`${one}/metadata`)).toContain(`${one}`);
    });

    test("takes metadata there that are not UTF-8 for another state", async () => {
      await using legacy = await newLegacyStores();
      await using stores = await driver.openStores({ clock: systemClock, random: systemRandom });
      await using source = await newLegacyStores();
      const [user, other] = usersOfEveryForm(issuer);
      if (user === undefined || other === undefined) throw new Error("there are too few users");
      await source.add(user, other);
      await imported(stores, source);
      await legacy.putObject(`${user.id}/metadata`, Uint8Array.of(0xff));
      expect(await exported(stores, legacy)).toMatchObject({
        findings: [{ backupId: user.id, problem: expect.stringContaining("in another state") }],
        exported: 1,
      });
      expect(await exported(stores, legacy, { replace: true })).toMatchObject({ findings: [], exported: 1 });
    });

    test("a factor that does not fit into a row of the table has none, and moves in and out", async () => {
      await using source = await newLegacyStores();
      await using legacy = await newLegacyStores();
      await using stores = await driver.openStores({ clock: systemClock, random: systemRandom });
      const { factor } = legacyKeypair();
      const keys = ["A".repeat(2048), "\ud800"];
      const mains = keys.map((publicKey) => ({ factor, kind: { kind: "EC_KEYPAIR", publicKey } }));
      const user = { ...legacyUser({ mains }), rows: [] };
      await source.add(user, ...usersOfEveryForm(issuer).slice(0, 1));
      expect(await imported(stores, source)).toEqual([]);
      for (const publicKey of keys)
        expect(await indexedAs(stores, { scope: "MAIN", key: factorKeys.ecKeypair(publicKey) })).toBe(
          user.id,
        );
      const { findings, ...counts } = await exported(stores, legacy);
      expect({ findings, counts }).toMatchObject({
        findings: keys.map(() => ({
          backupId: user.id,
          problem: expect.stringContaining("does not fit into a row of the table"),
        })),
        counts: { exported: 2 },
      });
      expect(await imported(stores, legacy, true)).toEqual([]);
    });

    test("leaves out the row of a factor that does not lead to the backup here", async () => {
      await using legacy = await newLegacyStores();
      await using stores = await driver.openStores({ clock: systemClock, random: systemRandom });
      await using source = await newLegacyStores();
      const [user] = usersOfEveryForm(issuer);
      if (user === undefined) throw new Error("there is no user");
      await source.add(user);
      await imported(stores, source);
      const release = user.mains.map(({ ref }) => ref);
      const stored = await stores.records.read(user.id);
      if (stored === null) throw new Error("the backup is not stored");
      await stores.records.commit({ backupId: user.id, expect: stored, next: stored, release });
      for (const ref of release) expect(await indexedAs(stores, ref)).toBeNull();
      const { findings } = await exported(stores, legacy);
      expect(findings).toEqual([
        {
          backupId: user.id,
          problem: expect.stringContaining("does not lead to it here: its row was not written"),
        },
      ]);
      expect([...(await legacy.contents()).keys()].filter((key) => key.startsWith("MAIN#"))).toEqual([]);
    });

    test("reads a backup again whose content is replaced, or which is deleted or loses a factor, while it is read", async () => {
      await using source = await newLegacyStores();
      await using stores = await driver.openStores({ clock: systemClock, random: systemRandom });
      const user = legacyUser();
      await source.add(user);
      await imported(stores, source);
      const replaceContent = async () => {
        await addVersion(stores, user.id);
        await pruneVersions(stores, user.id);
      };
      const commit = async (isDeletion: boolean) => {
        const before = await storedRecord(stores, user.id);
        const { factors, ...metadata } = before.metadata;
        const next = isDeletion ? null : { ...before, metadata: { ...metadata, factors: [] } };
        const release = user.mains.map(({ ref }) => ref);
        expect(await stores.records.commit({ backupId: user.id, expect: before, next, release })).toBe(
          "committed",
        );
        if (isDeletion) await stores.blobs.delete(before.blob.key);
      };
      for (const [change, count] of [
        [{ blobs: onceBefore<BlobStore>(stores.blobs, "get", replaceContent) }, 1],
        [{ records: onceBefore(stores.records, "locate", () => commit(false)) }, 1],
        [{ blobs: onceBefore<BlobStore>(stores.blobs, "get", () => commit(true)) }, 0],
      ] as const) {
        await using legacy = await newLegacyStores();
        expect(await exported(stores, legacy, change)).toMatchObject({ findings: [], exported: count });
      }
    });

    test("goes on after a record that is not JSON, and says so", async () => {
      await using source = await newLegacyStores();
      await using legacy = await newLegacyStores();
      await using stores = await driver.openStores({ clock: systemClock, random: systemRandom });
      const [broken, sound] = [legacyUser(), legacyUser()];
      await source.add(broken, sound);
      await imported(stores, source);
      const read: RecordStore["read"] = async (backupId) =>
        backupId === broken.id ? JSON.parse("{") : stores.records.read(backupId);
      const records = replaced(stores.records, { read });
      const findings = [{ backupId: broken.id, problem: "the metadata are not JSON" }];
      expect(await exported(stores, legacy, { records })).toMatchObject({ findings, exported: 1 });
      for (const verify of [true, false])
        expect(await imported({ records, blobs: stores.blobs }, source, verify)).toEqual([
          { backupId: broken.id, problem: "its metadata here are not JSON" },
        ]);
    });
  });

/** Metadata without what comes back in another form on purpose. */
function comparable(metadata: unknown) {
  const {
    archiveId: _archiveId,
    encryptionPublicKey,
    factors,
    ...rest
  } = metadata as {
    archiveId?: string;
    encryptionPublicKey?: string;
    factors: { kind: { account?: object; registration?: object; label?: string } }[];
  };
  return {
    ...rest,
    encryptionPublicKey: encryptionPublicKey?.replace(/^0x/, "").toLowerCase(),
    factors: factors.map(({ kind, ...factor }) => {
      const { account, registration, label, ...others } = kind;
      return {
        ...factor,
        kind: {
          ...others,
          label: label ?? "",
          account: account && { ...account, email: undefined, maskedEmail: undefined },
          registration: registration && { ...registration, clientExtensionResults: undefined },
        },
      };
    }),
  };
}
