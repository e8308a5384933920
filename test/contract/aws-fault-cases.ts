/** Each method of the stores: what it does, what it returns, and what the state is before and after. */
import { randomBytes } from "node:crypto";
import type { Change } from "../../src/storage/contract.ts";
import type { InspectableBlobs, InspectableRecords } from "../../src/storage/inspection.ts";
import type { SettableClock } from "../support/settable-clock.ts";
import { contentOf } from "./blobs.ts";
import { backupOf, collect, create, labelOf, main, once, record, sync, token } from "./fixture.ts";

export interface Prepared<Store> {
  run(store: Store): Promise<unknown>;
  readonly result: unknown;
  /** What of the state this case can change. */
  state(store: Store): Promise<unknown>;
  readonly before: unknown;
  readonly after: unknown;
}

export interface FaultCase<Store> {
  readonly name: string;
  readonly writes: boolean;
  /** Whether it may have returned something before the fault, so that it cannot be retried. */
  readonly mayBreakMidway?: boolean;
  /** Makes what the case needs; nothing of it is shared with another `id`. */
  prepare(store: Store, id: string, clock: SettableClock): Promise<Prepared<Store>>;
}

function reading<Store>(run: (store: Store) => Promise<unknown>, result: unknown): Prepared<Store> {
  return { run, result, state: async () => null, before: null, after: null };
}

/** Everything that a commit of `id` may write. */
function recordState(id: string, clock: SettableClock) {
  return async (records: InspectableRecords) => ({
    label: await labelOf(records, id),
    factor: await backupOf(records, main(`${id} old`)),
    claimed: [await backupOf(records, main(`${id} new`)), await backupOf(records, sync(`${id} new`))],
    consumed: await records.isConsumed([once(`${id} nonce`, clock)]),
    token: await records.readToken(`${id} token`),
  });
}

const NOTHING = { label: null, factor: null, claimed: [null, null], consumed: false, token: null };

export const RECORD_CASES: readonly FaultCase<InspectableRecords>[] = [
  {
    name: "creating",
    writes: true,
    async prepare(_records, id, clock) {
      const change: Change = {
        backupId: id,
        expect: "absent",
        next: record("new"),
        claim: [main(`${id} new`), sync(`${id} new`)],
        consume: [once(`${id} nonce`, clock)],
      };
      return {
        run: (store) => store.commit(change),
        result: "committed",
        state: recordState(id, clock),
        before: NOTHING,
        after: { ...NOTHING, label: "new", claimed: [id, id], consumed: true },
      };
    },
  },
  {
    name: "updating with a token, around a row of another backup",
    writes: true,
    async prepare(records, id, clock) {
      await create(records, `${id} other`, { claim: [main(`${id} other`)] });
      const revision = await create(records, id, { next: record("old"), claim: [main(`${id} old`)] });
      await records.consume([], token(`${id} token`, id, clock));
      const change: Change = {
        backupId: id,
        expect: { revision },
        next: record("new"),
        claim: [main(`${id} new`)],
        release: [main(`${id} other`), main(`${id} old`)],
        redeem: `${id} token`,
      };
      const before = {
        ...NOTHING,
        label: "old",
        factor: id,
        token: { backupId: id, holder: "holder", redeemed: false },
      };
      return {
        run: (store) => store.commit(change),
        result: "committed",
        state: recordState(id, clock),
        before,
        after: {
          ...NOTHING,
          label: "new",
          claimed: [id, null],
          token: { backupId: id, holder: "holder", redeemed: true },
        },
      };
    },
  },
  {
    name: "updating the record alone",
    writes: true,
    async prepare(records, id, clock) {
      const revision = await create(records, id, { next: record("old"), claim: [main(`${id} old`)] });
      const change: Change = { backupId: id, expect: { revision }, next: record("new") };
      const before = { ...NOTHING, label: "old", factor: id };
      return {
        run: (store) => store.commit(change),
        result: "committed",
        state: recordState(id, clock),
        before,
        after: { ...before, label: "new" },
      };
    },
  },
  {
    name: "deleting",
    writes: true,
    async prepare(records, id, clock) {
      const revision = await create(records, id, { next: record("old"), claim: [main(`${id} old`)] });
      const change: Change = {
        backupId: id,
        expect: { revision },
        next: null,
        release: [main(`${id} old`)],
        consume: [once(`${id} nonce`, clock)],
      };
      return {
        run: (store) => store.commit(change),
        result: "committed",
        state: recordState(id, clock),
        before: { ...NOTHING, label: "old", factor: id },
        after: { ...NOTHING, consumed: true },
      };
    },
  },
  {
    name: "a commit that meets a conflict",
    writes: true,
    async prepare(records, id, clock) {
      await create(records, id, { next: record("old"), claim: [main(`${id} old`)] });
      const change: Change = {
        backupId: id,
        expect: { revision: "outdated" },
        next: record("new"),
        claim: [main(`${id} new`)],
        release: [main(`${id} old`)],
        consume: [once(`${id} nonce`, clock)],
      };
      const before = { ...NOTHING, label: "old", factor: id };
      const state = recordState(id, clock);
      return { run: (store) => store.commit(change), result: "revision", state, before, after: before };
    },
  },
  {
    name: "consuming and issuing",
    writes: true,
    prepare: async (_records, id, clock) => ({
      run: async (store) =>
        (await store.consume([once(`${id} nonce`, clock)], token(`${id} token`, id, clock))) !== null,
      result: true,
      state: recordState(id, clock),
      before: NOTHING,
      after: { ...NOTHING, consumed: true, token: { backupId: id, holder: "holder", redeemed: false } },
    }),
  },
  {
    name: "consuming what is consumed",
    writes: true,
    async prepare(records, id, clock) {
      await records.consume([once(`${id} nonce`, clock)]);
      const before = { ...NOTHING, consumed: true };
      return {
        run: async (store) =>
          (await store.consume([once(`${id} nonce`, clock)], token(`${id} token`, id, clock))) !== null,
        result: false,
        state: recordState(id, clock),
        before,
        after: before,
      };
    },
  },
  {
    name: "consuming one nonce",
    writes: true,
    prepare: async (_records, id, clock) => ({
      run: async (store) => (await store.consume([once(`${id} nonce`, clock)])) !== null,
      result: true,
      state: recordState(id, clock),
      before: NOTHING,
      after: { ...NOTHING, consumed: true },
    }),
  },
  {
    name: "consuming one nonce that is consumed",
    writes: true,
    async prepare(records, id, clock) {
      await records.consume([once(`${id} nonce`, clock)]);
      const before = { ...NOTHING, consumed: true };
      return {
        run: async (store) => (await store.consume([once(`${id} nonce`, clock)])) !== null,
        result: false,
        state: recordState(id, clock),
        before,
        after: before,
      };
    },
  },
  {
    name: "locating",
    writes: false,
    async prepare(records, id, clock) {
      const nonces = [once(`${id} nonce`, clock)];
      await create(records, id, { claim: [main(id)], consume: nonces });
      return reading((store) => store.locate(main(id), nonces), { backupId: id, consumed: true });
    },
  },
  {
    name: "asking whether nonces are consumed",
    writes: false,
    async prepare(records, id, clock) {
      const nonces = [once(`${id} nonce`, clock)];
      await records.consume(nonces);
      return reading((store) => store.isConsumed(nonces), true);
    },
  },
  {
    name: "reading a record",
    writes: false,
    async prepare(records, id, clock) {
      const revision = await create(records, id, { next: record("stored") });
      const stored = { ...record("stored"), revision, changedAtMs: clock.nowMs() };
      return reading((store) => store.read(id), stored);
    },
  },
  {
    name: "reading what is not there",
    writes: false,
    prepare: async (_records, id) => reading((store) => store.read(id), null),
  },
  {
    name: "reading a token",
    writes: false,
    async prepare(records, id, clock) {
      await records.consume([], token(id, "b1", clock));
      return reading((store) => store.readToken(id), { backupId: "b1", holder: "holder", redeemed: false });
    },
  },
  {
    name: "listing",
    writes: false,
    async prepare(records, id, clock) {
      await create(records, id);
      const run = async (store: InspectableRecords) =>
        (await collect(store.list())).filter(({ backupId }) => backupId === id);
      return reading(run, [{ backupId: id, blobs: [record(id).blob], changedAtMs: clock.nowMs() }]);
    },
  },
  {
    name: "listing the index",
    writes: false,
    async prepare(records, id) {
      await create(records, id, { claim: [main(id)] });
      const run = async (store: InspectableRecords) =>
        (await collect(store.listFactors())).filter(({ backupId }) => backupId === id);
      return reading(run, [{ factor: { ...main(id), stored: true }, backupId: id }]);
    },
  },
  { name: "being ready", writes: false, prepare: async () => reading((store) => store.ready(), undefined) },
  {
    name: "taking a write",
    writes: true,
    prepare: async () => reading((store) => store.writable(), undefined),
  },
];

export const BLOB_CASES: readonly FaultCase<InspectableBlobs>[] = [
  putting("putting nothing", 0),
  putting("putting a small ciphertext", 1_000),
  putting("putting a large ciphertext", 2_000_000),
  getting("reading a small ciphertext", 1_000, false),
  getting("reading a large ciphertext", 2_000_000, true),
  {
    name: "reading a size",
    writes: false,
    async prepare(blobs, id) {
      const { key } = await blobs.put(id, [randomBytes(10)]);
      return reading((store) => store.sizeOf(key), 10);
    },
  },
  {
    name: "reading the size of a missing blob",
    writes: false,
    prepare: async (_blobs, id) => reading((store) => store.sizeOf(`${id}/blobs/none`), null),
  },
  {
    name: "reading what is not there",
    writes: false,
    prepare: async (_blobs, id) =>
      reading((store) => store.get({ key: `${id}/blobs/none`, size: 1, sha256: "00" }), null),
  },
  {
    name: "deleting",
    writes: true,
    async prepare(blobs, id) {
      const ref = await blobs.put(id, [randomBytes(10)]);
      return {
        run: (store) => store.delete(ref.key),
        result: undefined,
        state: sizesOf(id),
        before: [10],
        after: [],
      };
    },
  },
  {
    name: "listing",
    writes: false,
    async prepare(blobs, id) {
      await blobs.put(id, [randomBytes(10)]);
      return reading(sizesOf(id), [10]);
    },
  },
  { name: "being ready", writes: false, prepare: async () => reading((store) => store.ready(), undefined) },
  {
    name: "taking a write",
    writes: true,
    prepare: async () => reading((store) => store.writable(), undefined),
  },
];

function putting(name: string, size: number): FaultCase<InspectableBlobs> {
  const content = randomBytes(size);
  return {
    name,
    writes: true,
    prepare: async (_blobs, id) => ({
      async run(store) {
        const ref = await store.put(id, [content.subarray(0, 300), content.subarray(300)]);
        return ref.key.startsWith(`${id}/`) && ref.size;
      },
      result: size,
      state: sizesOf(id),
      before: [],
      after: [size],
    }),
  };
}

function getting(name: string, size: number, mayBreakMidway: boolean): FaultCase<InspectableBlobs> {
  return {
    name,
    writes: false,
    mayBreakMidway,
    async prepare(blobs, id) {
      const content = randomBytes(size);
      const ref = await blobs.put(id, [content]);
      return reading(async (store) => content.equals(await contentOf(store, ref)), true);
    },
  };
}

/** The sizes of the ciphertexts stored for `id`. */
function sizesOf(id: string): (blobs: InspectableBlobs) => Promise<unknown> {
  return async (blobs) =>
    (await collect(blobs.list())).filter(({ key }) => key.startsWith(`${id}/`)).map(({ size }) => size);
}
