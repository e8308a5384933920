import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { BlobDamaged, type BlobRef, type BlobStore } from "../../src/storage/contract.ts";
import { type NewStorage, openFixture } from "./fixture.ts";

const DAMAGES: readonly [name: string, damage: (content: Buffer) => Uint8Array][] = [
  ["has one bit changed at its start", (content) => flipped(content, 0)],
  ["has one bit changed at its end", (content) => flipped(content, content.length - 1)],
  ["lost its last byte", (content) => content.subarray(0, -1)],
  ["lost half of its bytes", (content) => content.subarray(0, content.length / 2)],
  ["lost all of its bytes", () => new Uint8Array(0)],
  ["has one byte more", (content) => Buffer.concat([content, Buffer.alloc(1)])],
  ["is another one of the same size", (content) => randomBytes(content.length)],
];

/** A ciphertext that is not what was put is never served as a whole: who reads it learns of the damage before its end. */
export function damageContract(newStorage: NewStorage): void {
  for (const size of [2, 262_144, 262_145, 3_000_000])
    for (const [name, damage] of DAMAGES)
      test(`a ciphertext of ${size} bytes that ${name} is never served as a whole`, async () => {
        await using store = await openFixture(newStorage);
        const content = randomBytes(size);
        const ref = await store.blobs.put("b1", [content]);
        await store.storage.overwriteBlob(ref.key, damage(content));
        await expectDamaged(store.blobs, ref);
      });

  test("a reference with another hash or size does not open a sound ciphertext", async () => {
    await using store = await openFixture(newStorage);
    const ref = await store.blobs.put("b1", [randomBytes(1_000)]);
    await expectDamaged(store.blobs, { ...ref, sha256: "00".repeat(32) });
    await expectDamaged(store.blobs, { ...ref, size: 999 });
    await expectDamaged(store.blobs, { ...ref, size: 1_001 });
    await expectDamaged(store.blobs, { ...ref, size: 300_000 });
  });
}

async function expectDamaged(blobs: BlobStore, ref: BlobRef): Promise<void> {
  let served = 0;
  let failure: unknown = null;
  try {
    for await (const chunk of (await blobs.get(ref)) ?? []) served += chunk.length;
  } catch (error) {
    failure = error;
  }
  expect(failure).toBeInstanceOf(BlobDamaged);
  expect(served).toBeLessThan(ref.size);
}

function flipped(content: Buffer, position: number): Buffer {
  const damaged = Buffer.from(content);
  damaged[position] = (content[position] ?? 0) ^ 1;
  return damaged;
}
