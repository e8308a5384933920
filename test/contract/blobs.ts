import { expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import type { BlobRef, BlobStore } from "../../src/storage/contract.ts";
import { atOnce, collect, type NewStorage, openFixture } from "./fixture.ts";

const MIB = 1024 * 1024;
const SIZES = [0, 1, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 15 * MIB];

/** Storing, opening, deleting and listing ciphertexts. */
export function blobsContract(newStorage: NewStorage): void {
  for (const size of SIZES)
    test(`a ciphertext of ${size} bytes is returned as it was put`, async () => {
      await using store = await openFixture(newStorage);
      const content = randomBytes(size);
      const ref = await store.blobs.put("b1", cut(content, 100_000));
      expect(ref).toEqual({ key: ref.key, size, sha256: createHash("sha256").update(content).digest("hex") });
      expect(content.equals(await contentOf(store.blobs, ref))).toBe(true);
      expect(content.equals(await contentOf(store.blobs, ref))).toBe(true);
    });

  test("content may come as a list, a generator or a stream, in pieces of any size", async () => {
    await using store = await openFixture(newStorage);
    const content = randomBytes(300_000);
    const contents = [
      [content],
      cut(content, 7_919),
      [content.subarray(0, 1), new Uint8Array(0), content.subarray(1), new Uint8Array(0)],
      later(cut(content, 65_536)),
      new Response(content).body ?? [],
      cut(content.subarray(0, 2_000), 1),
    ];
    for (const [index, pieces] of contents.entries()) {
      const ref = await store.blobs.put("b1", pieces);
      const expected = index === contents.length - 1 ? content.subarray(0, 2_000) : content;
      expect(expected.equals(await contentOf(store.blobs, ref))).toBe(true);
    }
  });

  test("every put has a fresh name, also for the same content", async () => {
    await using store = await openFixture(newStorage);
    const refs = await atOnce(50, () => store.blobs.put("b1", [Buffer.from("same")]));
    expect(new Set(refs.map((ref) => ref.key)).size).toBe(50);
    for (const ref of refs) expect(`${await contentOf(store.blobs, ref)}`).toBe("same");
  });

  test("content that fails midway leaves nothing behind, and the error of the content is thrown", async () => {
    await using store = await openFixture(newStorage);
    const failure = new Error("the client went away");
    async function* failing(pieces: number) {
      for (let piece = 0; piece < pieces; piece++) yield randomBytes(400_000);
      throw failure;
    }
    for (const pieces of [0, 1, 6]) {
      const outcome = await store.blobs.put("b1", failing(pieces)).catch((error: unknown) => error);
      expect(outcome).toBe(failure);
    }
    expect(await collect(store.blobs.list())).toEqual([]);
  });

  test("what is missing is null, and may be deleted again", async () => {
    await using store = await openFixture(newStorage);
    const ref = await store.blobs.put("b1", [Buffer.from("x")]);
    const other = await store.blobs.put("b1", [Buffer.from("y")]);
    await store.blobs.delete(ref.key);
    expect(await store.blobs.get(ref)).toBeNull();
    await store.blobs.delete(ref.key);
    expect(`${await contentOf(store.blobs, other)}`).toBe("y");
    expect((await collect(store.blobs.list())).map(({ key }) => key)).toEqual([other.key]);
  });

  for (const size of [1_000, 4 * MIB])
    test(`a ciphertext of ${size} bytes that is deleted while it is read is read to its end`, async () => {
      await using store = await openFixture(newStorage);
      const content = randomBytes(size);
      const ref = await store.blobs.put("b1", [content]);
      const stream = await store.blobs.get(ref);
      await store.blobs.delete(ref.key);
      expect(content.equals(Buffer.concat(await Array.fromAsync(stream ?? [])))).toBe(true);
      expect(await store.blobs.get(ref)).toBeNull();
    });

  test("streams that are cancelled unread or half-read do not keep others waiting", async () => {
    await using store = await openFixture(newStorage);
    const content = randomBytes(MIB);
    const ref = await store.blobs.put("b1", [content]);
    await atOnce(150, async (index) => {
      const reader = (await store.blobs.get(ref))?.getReader();
      if (index % 2) await reader?.read();
      await reader?.cancel();
    });
    expect(content.equals(await contentOf(store.blobs, ref))).toBe(true);
  });

  test("many large ciphertexts can be put and read at once", async () => {
    await using store = await openFixture(newStorage);
    await atOnce(12, async (index) => {
      const content = Buffer.alloc(2 * MIB + index, index);
      const ref = await store.blobs.put(`b${index}`, cut(content, 100_000));
      expect(content.equals(await contentOf(store.blobs, ref))).toBe(true);
    });
  });

  test("the list has every ciphertext once, over more than one page, with its size and time", async () => {
    await using store = await openFixture(newStorage);
    const startedAtMs = Date.now();
    const refs = await atOnce(130, (index) => store.blobs.put(`b${index % 7}`, [new Uint8Array(index)]));
    const listed = await collect(store.blobs.list());
    const byKey = (a: { key: string }, b: { key: string }) => a.key.localeCompare(b.key);
    expect(listed.map(({ key, size }) => ({ key, size })).sort(byKey)).toEqual(
      refs.map(({ key, size }) => ({ key, size })).sort(byKey),
    );
    const skipped = new Set(listed.slice(1).map(({ key }) => key));
    expect(await collect(store.blobs.list((key) => skipped.has(key)))).toEqual(listed.slice(0, 1));
    for (const { storedAtMs } of listed) {
      expect(storedAtMs).toBeGreaterThan(startedAtMs - 2_000); // stores keep whole seconds
      expect(storedAtMs).toBeLessThan(Date.now() + 2_000);
    }
  });

  test("two stores on one storage see each other's ciphertexts", async () => {
    await using store = await openFixture(newStorage);
    await using other = await store.openAnother();
    const ref = await store.blobs.put("b1", [Buffer.from("shared")]);
    expect(`${await contentOf(other.blobs, ref)}`).toBe("shared");
    await other.blobs.delete(ref.key);
    expect(await store.blobs.get(ref)).toBeNull();
  });

  test("a store that is set up is ready", async () => {
    await using store = await openFixture(newStorage);
    await store.blobs.ready();
  });

  test("a store that is set up takes writes, of which nothing shows afterwards", async () => {
    await using store = await openFixture(newStorage);
    await atOnce(5, () => store.blobs.writable());
    expect(await collect(store.blobs.list())).toEqual([]);
  });
}

/** The whole of a stored ciphertext; throws when there is none. */
export async function contentOf(blobs: BlobStore, ref: BlobRef): Promise<Buffer> {
  const stream = await blobs.get(ref);
  if (stream === null) throw new Error(`${ref.key} is not stored`);
  return Buffer.concat(await Array.fromAsync(stream));
}

function* cut(content: Uint8Array, pieceBytes: number): Generator<Uint8Array> {
  for (let start = 0; start < content.length; start += pieceBytes)
    yield content.subarray(start, start + pieceBytes);
}

async function* later(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    await new Promise(setImmediate);
    yield piece;
  }
}
