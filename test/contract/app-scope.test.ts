/** The stores of an app keep the same promises, whatever other apps store under the same ids. */
import { describe, expect, test } from "bun:test";
import { appOf, recordsOfApp, storedFactor, storedId, storesOfApp } from "../../src/storage/app-scope.ts";
import type { InspectableRecords } from "../../src/storage/inspection.ts";
import { DRIVERS, type Stores, type TestStorage } from "../drivers.ts";
import { replaced } from "../support/store-wrappers.ts";
import { deletedStatesContract } from "./deleted-states.ts";
import {
  backupOf,
  collect,
  create,
  deletedOf,
  event,
  eventsOf,
  kept,
  labelOf,
  main,
  once,
  openFixture,
  record,
  revisionOf,
  token,
} from "./fixture.ts";
import { commitContract } from "./records.ts";
import { countersContract } from "./records-counters.ts";
import { noncesContract } from "./records-nonces.ts";
import { racesContract } from "./records-races.ts";
import { releaseContract } from "./records-release.ts";

/** A storage whose record stores are those of an app, with listings of what the app calls its backups. */
function storageOfApp(newStorage: () => Promise<TestStorage>, app: string): () => Promise<TestStorage> {
  return async () => {
    const storage = await newStorage();
    const open = async (options: Parameters<TestStorage["open"]>[0]): Promise<Stores> => {
      const stores = await storage.open(options);
      return { ...stores, records: seenByApp(stores.records, app) };
    };
    return { ...storage, open };
  };
}

function seenByApp(records: InspectableRecords, app: string): InspectableRecords {
  const own = <T extends { readonly backupId: string }>(listed: T): T => ({
    ...listed,
    backupId: appOf(listed.backupId).id,
  });
  return replaced(records, {
    ...recordsOfApp(records, app),
    async *list() {
      for await (const listed of records.list()) yield own(listed);
    },
    async *listDeleted() {
      for await (const listed of records.listDeleted()) yield own(listed);
    },
    async *listFactors() {
      for await (const { factor, backupId } of records.listFactors())
        yield own({ factor: { ...factor, key: appOf(factor.key).id }, backupId });
    },
    asStored: (factor) => records.asStored(storedFactor(app, factor)),
  });
}

for (const { name, environment } of DRIVERS) {
  const ofApp = storageOfApp(environment, "shop");
  describe(`records of an app on ${name}`, () => {
    describe("commit", () => commitContract(ofApp));
    describe("nonces and sync factor tokens", () => noncesContract(ofApp));
    describe("release", () => releaseContract(ofApp));
    describe("counters", () => countersContract(ofApp));
    describe("races", () => racesContract(ofApp));
    describe("deleted states", () => deletedStatesContract(ofApp));
  });

  describe(`apps in one storage on ${name}`, () => {
    const APPS = [null, "shop", "shop-2"] as const;

    test("each has its own backup, factor, nonce, token, deleted state, event and counter of one name", async () => {
      await using store = await openFixture(environment);
      const { clock } = store;
      for (const app of APPS) {
        const { records } = storesOfApp(store, app);
        const label = `of ${app}`;
        expect(await records.read("b1")).toBeNull();
        expect(await backupOf(records, main("f"))).toBeNull();
        expect(await records.isConsumed([once("n", clock)])).toBe(false);
        expect(await records.readToken("t")).toBeNull();
        expect(await deletedOf(records, "b1")).toEqual([]);
        await create(records, "b1", {
          next: record(label),
          claim: [main("f")],
          consume: [once("n", clock)],
          issue: token("t", "b1", clock),
          setAside: kept(label, clock),
          events: [event(label, clock)],
        });
        expect(await labelOf(records, "b1")).toBe(label);
        expect(await backupOf(records, main("f"))).toBe("b1");
        expect(await records.readToken("t")).toMatchObject({ backupId: "b1", redeemed: false });
        expect((await deletedOf(records, "b1")).map(({ metadata }) => metadata.label)).toEqual([label]);
        expect((await eventsOf(records, label)).map(({ backupId }) => backupId)).toEqual(["b1"]);
        expect(await records.addToCounter("c", 1, clock.nowMs() + 1000)).toBe(1);
        expect((await collect(records.list())).map(({ backupId }) => backupId)).toEqual(["b1"]);
      }
    });

    test("what one deletes the others keep", async () => {
      await using store = await openFixture(environment);
      const change = { claim: [main("f")], issue: token("t", "b1", store.clock) };
      for (const app of APPS) await create(storesOfApp(store, app).records, "b1", change);
      const { records } = storesOfApp(store, "shop");
      const deletion = {
        backupId: "b1",
        expect: { revision: await revisionOf(records, "b1") },
        next: null,
        release: [main("f")],
        redeem: "t",
        mark: [once("m", store.clock)],
      };
      expect(await records.commit(deletion)).toBe("committed");
      for (const app of [null, "shop-2"]) {
        const other = storesOfApp(store, app).records;
        expect(await backupOf(other, main("f"))).toBe("b1");
        expect(await other.read("b1")).not.toBeNull();
        expect(await other.readToken("t")).toMatchObject({ redeemed: false });
        expect(await other.isConsumed([once("m", store.clock)])).toBe(false);
      }
      expect(await backupOf(records, main("f"))).toBeNull();
    });

    test("a ciphertext is read by its app, and lists say whose it is where names do", async () => {
      await using store = await openFixture(environment);
      const { blobs } = storesOfApp(store, "shop");
      const ref = await blobs.put("b1", [Buffer.from("ciphertext")]);
      const content = await blobs.get(ref);
      expect(await new Response(content).text()).toBe("ciphertext");
      const [listed] = await collect(store.blobs.list());
      expect([null, "app/shop/b1"]).toContain(listed?.backupId ?? null);
      expect(await blobs.sizeOf(ref.key)).toBe(10);
      await blobs.delete(ref.key);
      expect(await blobs.get(ref)).toBeNull();
    });

    test("a row that leads to the backup of another app is refused", async () => {
      await using store = await openFixture(environment);
      await create(store.records, storedId("shop-2", "b1"), {
        claim: [storedFactor("shop", main("f"))],
        issue: token(storedId("shop", "t"), storedId("shop-2", "b1"), store.clock),
        events: [{ ...event("log", store.clock), backupId: storedId("shop-2", "b1") }],
      });
      const { records } = storesOfApp(store, "shop");
      for (const read of [
        () => records.locate(main("f"), []),
        () => records.readToken("t"),
        () => eventsOf(records, "log"),
      ])
        await expect(read()).rejects.toThrow("leads to another app");
    });

    test("the stored form of the app without a scope is that of one app, of others it has their name", async () => {
      await using store = await openFixture(environment);
      for (const app of [null, "shop"]) {
        const { records } = storesOfApp(store, app);
        await create(records, "b1", { claim: [main("PK|id")] });
      }
      const ids = (await collect(store.records.list())).map(({ backupId }) => backupId);
      expect(ids.toSorted()).toEqual(["app/shop/b1", "b1"]);
      const keys = (await collect(store.records.listFactors())).map(({ factor }) => factor.key);
      expect(keys.toSorted()).toEqual(["PK|id", "app/shop/PK|id"]);
    });
  });
}

describe("stored ids", () => {
  test.each([
    [null, "b1", "b1"],
    ["shop", "b1", "app/shop/b1"],
    ["a-0", "PK|a/b", "app/a-0/PK|a/b"],
    ["shop", "app/other/b1", "app/shop/app/other/b1"],
    ["shop", "two\nlines", "app/shop/two\nlines"],
  ])("of %p: %p is %p, and back", (app, id, stored) => {
    expect(storedId(app, id)).toBe(stored);
    expect(appOf(stored)).toEqual({ app, id });
  });

  test("of a factor that is in its stored form stays as it is", () => {
    const factor = { scope: "MAIN", key: "app/shop/PK|id" } as const;
    expect(storedFactor("shop", { ...factor, stored: true })).toEqual({ ...factor, stored: true });
    expect(storedFactor("shop", { scope: "MAIN", key: "PK|id" })).toEqual(factor);
  });

  test.each(["app/", "app/shop", "app/Shop/b1", "app//b1", `app/${"a".repeat(33)}/b1`, "b1/app/shop/x"])(
    "%p is of no named app",
    (id) => expect(appOf(id)).toEqual({ app: null, id }),
  );
});
