/** How the aws driver reads objects from S3, also after interruptions. */
import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { BlobDamaged, type BlobRef, type BlobStore, StorageUnavailable } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import type { Fault } from "../support/fault-proxy.ts";
import { openFilesIn, temporaryFolder } from "../support/temporary-folder.ts";
import { openAwsFixture, RETRY } from "./aws-blobs-fixture.ts";
import { contentOf } from "./blobs.ts";

const LARGE = randomBytes(3_000_000);
/** Time for everything: nothing may depend on being fast. */
const UNHURRIED = { retry: { ...RETRY, attemptMs: 300_000, budgetMs: 300_000 }, maxWaitMs: 300_000 };
/** Until a transfer counts as stalled. */
const STALLED_MS = 1_500;
const HURRIED = { retry: { ...RETRY, attemptMs: STALLED_MS, budgetMs: 120_000 } };

/** Reads a ciphertext whose first response is cut; `then` is run at that moment. */
async function resumed(
  store: Awaited<ReturnType<typeof openAwsFixture>>,
  ref: BlobRef,
  then: () => Promise<unknown>,
  fault: Fault = { kind: "cut answer" },
): Promise<Buffer> {
  store.proxy.inject(fault);
  const pieces: Uint8Array[] = [];
  for await (const piece of (await store.blobs.get(ref)) ?? []) if (pieces.push(piece) === 1) await then();
  return Buffer.concat(pieces);
}

/** Records the ranges of the requests from now on. */
function rangesOf({ proxy }: Awaited<ReturnType<typeof openAwsFixture>>): (string | undefined)[] {
  const ranges: (string | undefined)[] = [];
  const record = ({ method, headers }: IncomingMessage) => {
    if (method === "GET") ranges.push(headers.range);
    return false;
  };
  proxy.inject({ kind: "hold" }, 1, record);
  return ranges;
}

/** How many bytes of a ciphertext can be read before it fails, and how it fails. */
async function failureOf(blobs: BlobStore, ref: BlobRef): Promise<{ served: number; failure: unknown }> {
  let served = 0;
  try {
    for await (const piece of (await blobs.get(ref)) ?? []) served += piece.length;
  } catch (failure) {
    return { served, failure };
  }
  throw new Error("it was read to its end");
}

if (DRIVERS.some((driver) => driver.name === "aws")) {
  describe("a download", () => {
    test("takes no disk", async () => {
      await using store = await openAwsFixture();
      const ref = await store.blobs.put("b1", [LARGE]);
      await using folder = await temporaryFolder();
      const reader = (await store.blobs.get(ref))?.getReader();
      await reader?.read();
      expect(await openFilesIn(folder)).toEqual([]);
      await reader?.cancel();
    });

    test("is whole where the connection breaks behind its last byte, before the response has ended", async () => {
      await using store = await openAwsFixture();
      const ref = await store.blobs.put("b1", [LARGE]);
      store.proxy.inject({ kind: "cut last chunk" }, 1);
      expect(LARGE.equals(await contentOf(store.blobs, ref))).toBe(true);
    });

    test("that is read slowly is not cut off", async () => {
      await using store = await openAwsFixture({}, HURRIED);
      const ref = await store.blobs.put("b1", [LARGE]);
      const pieces: Uint8Array[] = [];
      for await (const piece of (await store.blobs.get(ref)) ?? []) {
        if (pieces.length < 3) await new Promise((resolve) => setTimeout(resolve, STALLED_MS + 100));
        pieces.push(piece);
      }
      expect(Buffer.concat(pieces).equals(LARGE)).toBe(true);
    });

    test("that is not read keeps its permit only for a while", async () => {
      await using store = await openAwsFixture({}, { ...UNHURRIED, maxUnreadMs: 100 });
      const ref = await store.blobs.put("b1", [LARGE]);
      const unread = await Promise.all(Array.from({ length: 6 }, () => store.blobs.get(ref, "a")));
      await (await store.blobs.get(ref, "a"))?.cancel();
      const outcomes = await Promise.allSettled(unread.map((stream) => Array.fromAsync(stream ?? [])));
      const lost = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
      expect(lost).not.toEqual([]); // the others may not have been there for so long
      for (const reason of lost) expect(reason).toBeInstanceOf(StorageUnavailable);
    });

    test("gives back its connection, read or not", async () => {
      await using store = await openAwsFixture({}, UNHURRIED);
      const ref = await store.blobs.put("b1", [LARGE]);
      // more than there are connections
      for (let n = 0; n < 140; n++) {
        const reader = (await store.blobs.get(ref))?.getReader();
        if (n % 2 === 0) await reader?.read();
        await reader?.cancel();
      }
      expect(LARGE.equals(await contentOf(store.blobs, ref))).toBe(true);
    });

    test("can be ended while it is stalled, and the next one gets its permit", async () => {
      await using store = await openAwsFixture({}, UNHURRIED);
      const ref = await store.blobs.put("b1", [LARGE]);
      store.proxy.inject({ kind: "stall answer" }, 6);
      const readers = Array.from({ length: 6 }, async () => (await store.blobs.get(ref, "a"))?.getReader());
      for (const reader of await Promise.all(readers)) {
        const reading = (async () => {
          for (;;) if ((await reader?.read())?.done !== false) return "ended";
        })();
        await new Promise(setImmediate);
        await reader?.cancel();
        expect(await reading).toBe("ended");
      }
      await (await store.blobs.get(ref, "a"))?.cancel();
    });
  });

  describe("a download that is interrupted", () => {
    for (const [name, fault, options] of [
      ["by a lost connection", { kind: "cut answer" }, UNHURRIED],
      ["by a stall", { kind: "stall answer" }, HURRIED],
    ] as const)
      test(`${name} continues where it was, each time`, async () => {
        await using store = await openAwsFixture({}, options);
        const ref = await store.blobs.put("b1", [LARGE]);
        const ranges = rangesOf(store);
        store.proxy.inject(fault, 2);
        expect(LARGE.equals(await contentOf(store.blobs, ref))).toBe(true);
        const positions = ranges.map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? "bytes=0-")?.[1]));
        expect(positions).toEqual(positions.toSorted((a, b) => a - b));
        expect(positions.length).toBeGreaterThanOrEqual(3);
        expect(positions.at(-1)).toBeGreaterThan(0);
      });

    for (const kind of ["stall answer", "cut answer"] as const)
      test(`by every ${kind} is an outage, and is never there as a whole`, async () => {
        await using store = await openAwsFixture({}, { retry: { ...RETRY, attemptMs: 50, budgetMs: 200 } });
        const ref = await store.blobs.put("b1", [LARGE]);
        store.proxy.inject({ kind }, Number.POSITIVE_INFINITY);
        const { served, failure } = await failureOf(store.blobs, ref);
        expect(failure).toBeInstanceOf(StorageUnavailable);
        expect(served).toBeLessThan(LARGE.length);
      });

    test("before its first byte begins again", async () => {
      await using store = await openAwsFixture({}, UNHURRIED);
      const content = randomBytes(1);
      const ref = await store.blobs.put("b1", [content]);
      const ranges = rangesOf(store);
      store.proxy.inject({ kind: "cut answer" }); // half of a byte is none
      expect(content.equals(await contentOf(store.blobs, ref))).toBe(true);
      expect(ranges).toEqual([undefined, undefined]);
    });

    const ranges: Readonly<Record<string, Fault>> = {
      "that knows no ranges": { kind: "other range", change: () => null },
      "that begins earlier than asked": { kind: "other range", change: () => "bytes=1000000-" },
    };
    for (const [name, fault] of Object.entries(ranges))
      test(`at an endpoint ${name} skips what has arrived before`, async () => {
        await using store = await openAwsFixture({}, UNHURRIED);
        const ref = await store.blobs.put("b1", [LARGE]);
        store.proxy.inject({ kind: "cut answer" });
        store.proxy.inject(fault, Number.POSITIVE_INFINITY);
        expect(LARGE.equals(await contentOf(store.blobs, ref))).toBe(true);
      });

    test("at an endpoint that leaves out something asks again", async () => {
      await using store = await openAwsFixture({}, UNHURRIED);
      const ref = await store.blobs.put("b1", [LARGE]);
      store.proxy.inject({ kind: "cut answer" });
      store.proxy.inject({ kind: "other range", change: () => "bytes=2000000-" }, 3);
      expect(LARGE.equals(await contentOf(store.blobs, ref))).toBe(true);
    });

    test("while its object is deleted or replaced is an outage", async () => {
      await using store = await openAwsFixture({}, HURRIED);
      const changes = (key: string) => [
        () => store.blobs.delete(key),
        () => store.storage.overwriteBlob(key, randomBytes(LARGE.length)),
        () => store.storage.overwriteBlob(key, LARGE.subarray(0, 10)),
      ];
      for (const index of [0, 1, 2]) {
        const ref = await store.blobs.put("b1", [LARGE]);
        const reading = resumed(store, ref, async () => changes(ref.key)[index]?.());
        await expect(reading).rejects.toBeInstanceOf(StorageUnavailable);
      }
    });

    test("by a piece of another object is damaged where the endpoint has no ETags", async () => {
      await using store = await openAwsFixture({}, HURRIED);
      const ref = await store.blobs.put("b1", [LARGE]);
      const replace = () => store.storage.overwriteBlob(ref.key, randomBytes(LARGE.length));
      const reading = resumed(store, ref, replace, { kind: "cut answer", without: "etag" });
      await expect(reading).rejects.toBeInstanceOf(BlobDamaged);
    });
  });

  test("a download that never stalls for long and is too slow in total is an outage", async () => {
    await using store = await openAwsFixture({}, { retry: { ...RETRY, attemptMs: 60_000, budgetMs: 0 } });
    const ref = await store.blobs.put("b1", [LARGE]);
    store.proxy.inject({ kind: "trickle answer", ms: 100 }, Number.POSITIVE_INFINITY);
    const { failure } = await failureOf(store.blobs, ref);
    expect(failure).toBeInstanceOf(StorageUnavailable);
    if (failure instanceof Error) expect(String(failure.cause)).toContain("too slow in total");
  });

  describe("an endpoint that never says how long an object is", () => {
    async function openSilent() {
      const store = await openAwsFixture();
      store.proxy.inject({ kind: "no length" }, Number.POSITIVE_INFINITY);
      return store;
    }

    for (const size of [1_000, 300_000])
      test(`is believed about ${size} bytes that arrive, and about no others`, async () => {
        await using store = await openSilent();
        const content = randomBytes(size);
        const ref = await store.blobs.put("b1", [content]);
        expect(content.equals(await contentOf(store.blobs, ref))).toBe(true);
        expect(await store.blobs.sizeOf(ref.key)).toBe(size);
        for (const damaged of [
          content.subarray(1),
          new Uint8Array(0),
          Buffer.concat([content, Buffer.alloc(1)]),
          Buffer.concat([content, Buffer.alloc(3_000_000)]),
          randomBytes(size),
        ]) {
          await store.storage.overwriteBlob(ref.key, damaged);
          await expect(contentOf(store.blobs, ref)).rejects.toBeInstanceOf(BlobDamaged);
          expect(await store.blobs.sizeOf(ref.key)).toBe(damaged.length);
        }
        await store.blobs.delete(ref.key);
        expect(await store.blobs.sizeOf(ref.key)).toBeNull();
        expect(await store.blobs.get(ref)).toBeNull();
      });

    test("is requested again when a response breaks off", async () => {
      await using store = await openAwsFixture();
      const content = randomBytes(300_000);
      const ref = await store.blobs.put("b1", [content]);
      store.proxy.inject({ kind: "cut answer without length" }, 1);
      store.proxy.inject({ kind: "no length" }, Number.POSITIVE_INFINITY);
      expect(content.equals(await contentOf(store.blobs, ref))).toBe(true);
    });

    test("is believed about an upload whose response was lost", async () => {
      await using store = await openAwsFixture();
      store.proxy.inject({ kind: "drop answer" });
      store.proxy.inject({ kind: "no length" }, Number.POSITIVE_INFINITY);
      const ref = await store.blobs.put("b1", [Buffer.from("content")]);
      expect(`${await contentOf(store.blobs, ref)}`).toBe("content");
    });
  });

  describe("large transfers", () => {
    const content = randomBytes(300_000);

    test("of one client leave some of the connections to others", async () => {
      await using store = await openAwsFixture({}, UNHURRIED);
      const other = await store.blobs.put("other", [content]);
      store.proxy.seen.length = 0;
      store.proxy.inject({ kind: "hold" }, Number.POSITIVE_INFINITY);
      const uploads = Array.from({ length: 20 }, () => store.blobs.put("hostile", [content], "a"));
      while (store.proxy.seen.length < 6) await new Promise(setImmediate);
      const download = store.blobs.get(other, "b");
      while (store.proxy.seen.length < 7) await new Promise(setImmediate);
      expect(store.proxy.seen[6]).toContain(other.key);
      store.proxy.clear();
      await (await download)?.cancel();
      await Promise.all(uploads);
    });

    test("serve several clients in rotation, however many one of them has started", async () => {
      await using store = await openAwsFixture({}, UNHURRIED);
      const read = async (ref: BlobRef, client: string) => (await store.blobs.get(ref, client))?.cancel();
      const ref = await store.blobs.put("hostile", [content]);
      const honest = await store.blobs.put("honest", [content]);
      store.proxy.seen.length = 0;
      store.proxy.inject({ kind: "hold" }, Number.POSITIVE_INFINITY);
      const downloads = ["a", "b"].flatMap((client) => Array.from({ length: 20 }, () => read(ref, client)));
      downloads.push(read(honest, "c"));
      while (store.proxy.seen.length < 8) await new Promise(setImmediate);
      store.proxy.clear();
      await Promise.all(downloads);
      // eight were running; then each of the others was served once at most
      const position = store.proxy.seen.findIndex((line) => line.includes(honest.key));
      expect(position).toBeLessThan(8 + 3 + 8); // they may pass each other on their way here
      expect(store.proxy.seen).toHaveLength(41);
    });
  });
}
