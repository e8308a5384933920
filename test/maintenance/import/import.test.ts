import { describe, expect, test } from "bun:test";
import { randomUUID } from "node:crypto";
import { importBackups, verifyImport } from "../../../src/maintenance/import/import.ts";
import { type ImportRun, newImportCounts } from "../../../src/maintenance/import/run.ts";
import { systemClock, systemRandom } from "../../../src/runtime/clock.ts";
import { openLegacySource } from "../../../src/storage/aws/legacy/source.ts";
import {
  factorKeys,
  type JsonObject,
  type RecordStore,
  StorageUnavailable,
} from "../../../src/storage/contract.ts";
import { DRIVERS, type Driver, type Stores } from "../../drivers.ts";
import { type Keypair, type MainFactor, newKeypair } from "../../support/factors.ts";
import { LEGACY_OPTIONS, type LegacyStores, newLegacyStores } from "../../support/legacy-stores.ts";
import { type LegacyFactor, type LegacyUser, legacyKeypair, legacyUser } from "../../support/legacy-users.ts";
import { replaced } from "../../support/store-wrappers.ts";
import { storedRecord } from "../../support/stored.ts";

const ISSUERS = { GOOGLE: "https://accounts.google.com", APPLE: "https://appleid.apple.com" };

interface World {
  readonly legacy: LegacyStores;
  readonly stores: Stores;
  run(change?: Partial<ImportRun>): Promise<{ findings: string[]; imported: number; alreadyThere: number }>;
  verify(change?: Partial<ImportRun>): Promise<string[]>;
}

/** An empty source beside an empty storage. */
async function inWorld(driver: Driver, act: (world: World) => Promise<void>): Promise<void> {
  await using legacy = await newLegacyStores();
  await using stores = await driver.openStores({ clock: systemClock, random: systemRandom });
  await using source = openLegacySource(legacy.location, LEGACY_OPTIONS);
  const clocks = { clock: systemClock, random: systemRandom };
  const base = { ...clocks, source, stores, issuers: ISSUERS, since: null, dryRun: false };
  const lines = async (findings: AsyncIterable<{ backupId: string; problem: string }>) =>
    (await Array.fromAsync(findings))
      .map(({ backupId, problem }) => `${backupId}: ${problem.replace(/ [0-9a-f]{16} /, " … ")}`)
      .sort();
  await act({
    legacy,
    stores,
    async run(change = {}) {
      const counts = newImportCounts();
      const findings = await lines(importBackups({ ...base, counts, ...change }));
      return { findings, imported: counts.imported, alreadyThere: counts.alreadyThere };
    },
    verify: (change = {}) => lines(verifyImport({ ...base, counts: newImportCounts(), ...change }, stores)),
  });
}

function isKeypair(factor: MainFactor): factor is Keypair {
  return factor.kind === "EC_KEYPAIR";
}

/** Changes metadata as the service does, which stores the time of the change. */
async function changedHere(stores: Stores, backupId: string, change: (metadata: JsonObject) => JsonObject) {
  const { revision, blob, metadata, versions } = await storedRecord(stores, backupId);
  const next = { blob, metadata: change(metadata), versions };
  expect(await stores.records.commit({ backupId, expect: { revision }, next })).toBe("committed");
  return next.metadata;
}

function keypairOf({ mains }: LegacyUser, nth: number): Keypair {
  const factor = mains[nth];
  if (factor === undefined || !isKeypair(factor)) throw new Error("the user has no such keypair");
  return factor;
}

const ownerOf = async ({ records }: { records: RecordStore }, { mains }: LegacyUser, nth = 0) => {
  const ref = mains[nth]?.ref;
  if (ref === undefined) throw new Error("the user has no such factor");
  return (await records.locate(ref, [])).backupId;
};

for (const driver of DRIVERS)
  describe(`import on ${driver.name}`, () => {
    test("names what is torn, and takes over the rest", () =>
      inWorld(driver, async ({ legacy, stores, run }) => {
        const sound = legacyUser();
        const lostContent = legacyUser();
        const emptied = legacyUser();
        const unreadable = legacyUser();
        const noJson = legacyUser();
        const noText = legacyUser();
        const elsewhere = legacyUser();
        const unknownKind = legacyUser({ mains: [{ ...legacyKeypair(), kind: { kind: "VOICE" } }] });
        const unknownKey = legacyUser({ keys: [{ kind: "PAPER", encryptedKey: "eA==" }] });
        const ofNewer = legacyUser({ more: { schemaVersion: 99 } });
        await legacy.add(
          sound,
          lostContent,
          emptied,
          unreadable,
          noJson,
          noText,
          elsewhere,
          unknownKind,
          unknownKey,
          ofNewer,
        );
        await legacy.deleteObject(lostContent.ciphertextKey);
        await legacy.putObject(emptied.ciphertextKey, "");
        await legacy.putObject(
          `${unreadable.id}/metadata`,
          `{"id":"${unreadable.id}","secret":"ada@example.com"}`,
        );
        await legacy.putObject(`${noJson.id}/metadata`, "ada@example.com");
        await legacy.putObject(
          `${noText.id}/metadata`,
          Buffer.from(JSON.stringify({ ...noText.metadata, future: "é" }), "latin1"),
        );
        await legacy.putObject(`${elsewhere.id}/metadata`, JSON.stringify(sound.metadata));
        const orphan = randomUUID();
        await legacy.putObject(`${orphan}/backup`, "ciphertext");
        await legacy.putObject("logs/metadata", "{}");
        await legacy.putObject("logs/2025", "not a backup");

        const { findings, imported } = await run();
        expect(imported).toBe(1);
        expect(findings).toEqual(
          [
            `${lostContent.id}: the ciphertext is missing`,
            `${emptied.id}: the ciphertext is empty`,
            `${unreadable.id}: the metadata cannot be read at /factors: Expected required property`,
            `${noJson.id}: the metadata is not JSON`,
            `${noText.id}: the metadata is not UTF-8`,
            `${elsewhere.id}: the metadata is that of another backup`,
            `${unknownKind.id}: the metadata cannot be read at /factors/0/kind: Expected union value`,
            `${unknownKey.id}: the metadata cannot be read at /keys/0: Expected union value`,
            `${ofNewer.id}: stored metadata has schema version 99, this version of the service knows 1: start a newer one`,
            `${orphan}: there is a ciphertext and no metadata`,
            "logs: the id has none of the known forms",
          ].sort(),
        );
        expect((await Array.fromAsync(stores.records.list())).map(({ backupId }) => backupId)).toEqual([
          sound.id,
        ]);
      }));

    test("may be repeated, and leaves alone what has changed here", () =>
      inWorld(driver, async ({ legacy, stores, run, verify }) => {
        const [one, two] = [legacyUser(), legacyUser()];
        await legacy.add(one, two);
        expect(await run()).toEqual({ findings: [], imported: 2, alreadyThere: 0 });
        expect(await run()).toEqual({ findings: [], imported: 0, alreadyThere: 2 });
        expect(await verify()).toEqual([]);
        const metadata = await changedHere(stores, one.id, (stored) => ({
          ...stored,
          manifestHash: "0".repeat(64),
        }));
        expect(await run()).toEqual({ findings: [], imported: 0, alreadyThere: 2 });
        expect((await stores.records.read(one.id))?.metadata).toEqual(metadata);
        expect(await verify()).toEqual([`${one.id}: the metadata differ from the source in manifestHash`]);
      }));

    test("what has changed in the source and not here is taken over again, with its factors", () =>
      inWorld(driver, async ({ legacy, stores, run, verify }) => {
        const user = legacyUser({ mains: [legacyKeypair(), legacyKeypair()] });
        const [, kept = legacyKeypair()] = [0, 1].map((nth) => legacyKeypair(keypairOf(user, nth)));
        await legacy.add(user, legacyUser());
        expect(await run()).toEqual({ findings: [], imported: 2, alreadyThere: 0 });
        const { logId } = (await storedRecord(stores, user.id)).metadata;
        expect(logId).toBeString();
        const later = legacyUser({ id: user.id, mains: [kept, legacyKeypair()] });
        await legacy.add(later);
        expect(await verify()).toHaveLength(4);
        expect(await verify({ since: Date.now() + 3_600_000 })).toEqual([]);
        expect(await run({ dryRun: true })).toEqual({ findings: [], imported: 1, alreadyThere: 1 });
        expect(await run({ since: Date.now() + 3_600_000 })).toEqual({
          findings: [],
          imported: 0,
          alreadyThere: 2,
        });
        expect(await run({ since: Date.now() - 3_600_000 })).toEqual({
          findings: [],
          imported: 1,
          alreadyThere: 1,
        });
        expect((await storedRecord(stores, user.id)).metadata.logId).toBe(logId ?? null);
        expect(await verify()).toEqual([]);
        expect(await ownerOf(stores, user, 0)).toBeNull();
        expect(await ownerOf(stores, user, 1)).toBe(user.id);
        expect(await Array.fromAsync(stores.blobs.list())).toHaveLength(2);
        expect(await Array.fromAsync(stores.records.listFactors())).toHaveLength(5);

        await changedHere(stores, user.id, (stored) => ({ ...stored, manifestHash: "0".repeat(64) }));
        await legacy.add(legacyUser({ id: user.id }));
        expect(await run()).toEqual({ findings: [], imported: 0, alreadyThere: 2 });
        expect((await stores.records.read(user.id))?.metadata.manifestHash).toBe("0".repeat(64));
      }));

    test("a factor that another backup has now leads to that one, in whatever order they are read", () =>
      inWorld(driver, async ({ legacy, run, verify }) => {
        const moved = [legacyKeypair(), legacyKeypair(), legacyKeypair()] as const;
        const [first, last, created] = [
          `0${randomUUID().slice(1)}`,
          `f${randomUUID().slice(1)}`,
          randomUUID(),
        ];
        const having = (id: string, ...mains: readonly LegacyFactor[]) =>
          legacyUser({ id, mains: [legacyKeypair(), ...mains] });
        await legacy.add(having(first, moved[0]), having(last, moved[1], moved[2]));
        expect(await run()).toMatchObject({ findings: [], imported: 2 });
        const later = [having(first, moved[1]), having(last, moved[0]), having(created, moved[2])];
        await legacy.add(...later.map((user) => ({ ...user, rows: user.rows.slice(1) })));
        const { findings, imported } = await run({ since: Date.now() - 3_600_000 });
        expect(imported).toBe(3);
        // of each the factor that is new has no row
        const one = (id: string, problem: string) => `${id}: the MAIN factor EC_KEYPAIR … ${problem}`;
        const ids = [first, last, created].sort();
        expect(findings).toEqual(
          ids.map((id) => one(id, "has no row in the table: a run without --since settles it")),
        );
        expect(await verify()).toEqual(ids.map((id) => one(id, "leads to no backup")));
        expect(await run()).toEqual({ findings: [], imported: 0, alreadyThere: 3 });
        expect(await verify()).toEqual([]);
      }));

    test("a factor that a killed run could not index is indexed by the next one, once it is free", () =>
      inWorld(driver, async ({ legacy, stores, run, verify }) => {
        const user = legacyUser({ mains: [legacyKeypair(), legacyKeypair()] });
        await legacy.add(user);
        const ref = user.mains[1]?.ref;
        if (ref === undefined) throw new Error("the user has no such factor");
        const blob = await stores.blobs.put("own", [new Uint8Array(1)]);
        const next = { blob, metadata: {}, versions: [] };
        await stores.records.commit({ backupId: "own", expect: "absent", next, claim: [ref] });
        const used = [`${user.id}: the MAIN factor EC_KEYPAIR … is used by another backup here`];
        expect(await run()).toEqual({ findings: used, imported: 1, alreadyThere: 0 });
        expect(await run()).toEqual({ findings: used, imported: 0, alreadyThere: 1 });
        const { revision } = await storedRecord(stores, "own");
        await stores.records.commit({ backupId: "own", expect: { revision }, next: null, release: [ref] });
        expect(await run()).toEqual({ findings: [], imported: 0, alreadyThere: 1 });
        expect(await verify()).toEqual([]);
      }));

    test("a verify names what was deleted in the source since it was taken over", () =>
      inWorld(driver, async ({ legacy, stores, run, verify }) => {
        const [gone, changed, kept] = [legacyUser(), legacyUser(), legacyUser()];
        await legacy.add(gone, changed, kept);
        await run();
        await changedHere(stores, changed.id, (stored) => ({ ...stored, future: 1 }));
        const blob = await stores.blobs.put("own", [new Uint8Array(1)]);
        await stores.records.commit({
          backupId: "own",
          expect: "absent",
          next: { blob, metadata: {}, versions: [] },
        });
        for (const { id, ciphertextKey } of [gone, changed]) {
          await legacy.deleteObject(`${id}/metadata`);
          await legacy.deleteObject(ciphertextKey);
        }
        for (const since of [null, Date.now() + 3_600_000])
          expect(await verify({ since })).toEqual([
            `${gone.id}: it was taken over, and is not in the source any more`,
          ]);
      }));

    test("a dry run writes nothing", () =>
      inWorld(driver, async ({ legacy, stores, run }) => {
        await legacy.add(legacyUser(), legacyUser());
        expect(await run({ dryRun: true })).toEqual({ findings: [], imported: 2, alreadyThere: 0 });
        expect(await run({ dryRun: true, stores: null })).toMatchObject({ imported: 2 });
        expect(await Array.fromAsync(stores.records.list())).toEqual([]);
        expect(await Array.fromAsync(stores.records.listFactors())).toEqual([]);
        expect(await Array.fromAsync(stores.blobs.list())).toEqual([]);
        expect(await run()).toMatchObject({ imported: 2 });
      }));

    test("where two backups list a factor it leads to the one that the table names", () =>
      inWorld(driver, async ({ legacy, stores, run }) => {
        const shared = legacyKeypair();
        const [one, two] = [
          legacyUser({ mains: [shared, legacyKeypair()] }),
          legacyUser({ mains: [shared] }),
        ];
        const ofTorn = legacyUser({ mains: [legacyKeypair(), legacyKeypair()] });
        const torn = randomUUID();
        await legacy.add(one, two, ofTorn);
        await legacy.putObject(`${torn}/metadata`, "no JSON");
        await legacy.putRow(`MAIN#${ofTorn.mains[0]?.ref.key}`, torn);
        const { findings, imported } = await run();
        expect(imported).toBe(3);
        const taken =
          "the MAIN factor EC_KEYPAIR … leads to another backup in the table, which lists it too or cannot be read: not to this one";
        expect(findings).toEqual(
          [`${one.id}: ${taken}`, `${ofTorn.id}: ${taken}`, `${torn}: the metadata is not JSON`].sort(),
        );
        expect(await ownerOf(stores, ofTorn)).toBeNull();
        expect(await ownerOf(stores, ofTorn, 1)).toBe(ofTorn.id);
        expect(await ownerOf(stores, one)).toBe(two.id); // its row was written last
        expect(await ownerOf(stores, one, 1)).toBe(one.id);
      }));

    test("where the table names none of two it leads to none, and a lost or stale row is made up for", () =>
      inWorld(driver, async ({ legacy, stores, run, verify }) => {
        const shared = legacyKeypair();
        const withoutRows = (user: LegacyUser) => ({ ...user, rows: [] });
        const doubtful = [legacyUser({ mains: [shared] }), legacyUser({ mains: [shared] })] as const;
        const [lost, stale, foreign] = [legacyUser(), legacyUser(), legacyUser()];
        await legacy.add(...[...doubtful, lost, stale, foreign].map(withoutRows));
        await legacy.putRow(`MAIN#${stale.mains[0]?.ref.key}`, lost.id);
        await legacy.putRow(`MAIN#${foreign.mains[0]?.ref.key}`, "no id of a backup");
        await legacy.putRow("MAIN#PK|nobody", randomUUID());
        const { findings, imported } = await run();
        expect(imported).toBe(5);
        expect(findings).toEqual(
          doubtful
            .map(
              ({ id }) =>
                `${id}: the MAIN factor EC_KEYPAIR … is listed by another backup too, and the table names neither: it leads to none`,
            )
            .sort(),
        );
        expect(await ownerOf(stores, doubtful[0])).toBeNull();
        expect(await ownerOf(stores, lost)).toBe(lost.id);
        expect(await ownerOf(stores, stale)).toBe(stale.id);
        expect(await ownerOf(stores, foreign)).toBe(foreign.id);
        expect(await run()).toEqual({ findings, imported: 0, alreadyThere: 5 });
        expect(await run({ dryRun: true })).toEqual({ findings, imported: 0, alreadyThere: 5 });
        const [{ id }, other] = doubtful;
        await legacy.add({ ...other, metadata: { ...other.metadata, future: 1 }, rows: [] });
        const since = await run({ since: 1 });
        expect(since.findings).toContain(
          `${id}: the MAIN factor EC_KEYPAIR … has no row in the table: a run without --since settles it`,
        );
        expect(await ownerOf(stores, other)).toBeNull();
        expect(await verify()).toHaveLength(2);
      }));

    test("a factor that is used here, and an id that was created here, stay as they are", () =>
      inWorld(driver, async ({ legacy, stores, run }) => {
        const keypair = newKeypair();
        const [one, two] = [legacyUser({ mains: [legacyKeypair(keypair), legacyKeypair()] }), legacyUser()];
        await legacy.add(one, two);
        const blob = await stores.blobs.put(two.id, [new Uint8Array(1)]);
        const factor = {
          id: "own",
          createdAt: 1,
          kind: { kind: "EC_KEYPAIR", publicKey: keypair.keypair.publicKey },
        };
        const metadata = { id: two.id, manifestHash: "", keys: [], factors: [factor], syncFactors: [] };
        const claim = [{ scope: "MAIN", key: factorKeys.ecKeypair(keypair.keypair.publicKey) } as const];
        await stores.records.commit({
          backupId: two.id,
          expect: "absent",
          next: { blob, metadata, versions: [] },
          claim,
        });
        const { findings, imported } = await run();
        expect(imported).toBe(1);
        expect(findings).toEqual(
          [
            `${one.id}: the MAIN factor EC_KEYPAIR … is used by another backup here`,
            `${two.id}: another backup was created here under this id`,
          ].sort(),
        );
        expect(await ownerOf(stores, one)).toBe(two.id);
        expect(await ownerOf(stores, one, 1)).toBe(one.id);
        expect((await stores.records.read(two.id))?.metadata).toEqual(metadata);
      }));

    test("a backup with more factors than a transaction takes has all of them indexed", () =>
      inWorld(driver, async ({ legacy, stores, run, verify }) => {
        const user = legacyUser({ mains: Array.from({ length: 120 }, () => legacyKeypair()), syncs: 80 });
        await legacy.add(user);
        expect(await run()).toEqual({ findings: [], imported: 1, alreadyThere: 0 });
        expect(await verify()).toEqual([]);
        expect(await Array.fromAsync(stores.records.listFactors())).toHaveLength(200);
      }));

    test("two imports at once take each backup over once", () =>
      inWorld(driver, async ({ legacy, stores, run, verify }) => {
        const users = Array.from({ length: 30 }, () => legacyUser());
        await legacy.add(...users);
        const [one, two] = await Promise.all([run(), run()]);
        expect(one.imported + two.imported).toBe(30);
        expect(one.alreadyThere + two.alreadyThere).toBe(30);
        expect(await verify()).toEqual([]);
        expect(await Array.fromAsync(stores.blobs.list())).toHaveLength(30);
      }));

    test("an outage ends the run, and the next one takes over the rest", () =>
      inWorld(driver, async ({ legacy, stores, run, verify }) => {
        await legacy.add(...Array.from({ length: 20 }, () => legacyUser()));
        let calls = 0;
        const failing = replaced(stores.records, {
          commit: async (change) => {
            if (++calls === 10) throw new StorageUnavailable("no answer");
            return stores.records.commit(change);
          },
        });
        await expect(run({ stores: { ...stores, records: failing } })).rejects.toThrow(StorageUnavailable);
        const { imported, alreadyThere, findings } = await run();
        expect(alreadyThere).toBeGreaterThan(8);
        expect({ total: imported + alreadyThere, findings }).toEqual({ total: 20, findings: [] });
        expect(await verify()).toEqual([]);
      }));

    test("a source in use is read in one state", () =>
      inWorld(driver, async ({ legacy, stores, run }) => {
        await using source = openLegacySource(legacy.location, LEGACY_OPTIONS);
        const [before, after] = [legacyUser(), legacyUser()];
        await legacy.add(before);
        const changed = { ...after.metadata, id: before.id };
        const inUse = replaced(source, {
          ciphertext: async (id, archiveId) => {
            const content = await source.ciphertext(id, archiveId);
            await legacy.putObject(after.ciphertextKey.replace(after.id, before.id), after.content);
            await legacy.putObject(`${before.id}/metadata`, JSON.stringify(changed));
            return content;
          },
        });
        expect(await run({ source: inUse })).toMatchObject({ imported: 1 });
        const stored = await stores.records.read(before.id);
        expect(stored?.metadata.manifestHash).toBe(after.manifestHash);
        expect(stored?.blob.sha256).toBe(after.manifestHash); // which is that of the content in these tests
      }));

    test("a verify finds every kind of difference", () =>
      inWorld(driver, async ({ legacy, stores, run, verify }) => {
        const users = [legacyUser(), legacyUser(), legacyUser(), legacyUser()];
        await legacy.add(...users);
        await run();
        const [content = "", row = "", gone = "", deleted = ""] = users.map(({ id }) => id);
        await legacy.putObject(users[0]?.ciphertextKey ?? "", "other");
        for (const [id, next] of [
          [row, "same"],
          [deleted, null],
        ] as const) {
          const stored = await stores.records.read(id);
          if (stored === null) throw new Error("the backup is not stored");
          const release = (users.find((user) => user.id === id)?.mains ?? []).map(({ ref }) => ref);
          await stores.records.commit({ backupId: id, expect: stored, next: next && stored, release });
        }
        const blob = (await stores.records.read(gone))?.blob;
        await stores.blobs.delete(blob?.key ?? "");
        expect(await verify()).toEqual(
          [
            `${content}: the ciphertext differs from the source`,
            `${row}: the MAIN factor EC_KEYPAIR … leads to no backup`,
            `${gone}: the ciphertext is missing here`,
          ].sort(),
        );
      }));
  });
