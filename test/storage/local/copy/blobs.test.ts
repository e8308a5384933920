import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlobRef } from "../../../../src/storage/contract.ts";
import { openBlobCopier } from "../../../../src/storage/local/copy/blobs.ts";
import { blobIn, placeFor } from "./site.ts";

const CONTENT = "a ciphertext";

async function newFolders() {
  const parent = await mkdtemp(join(tmpdir(), "backup-service-"));
  return {
    source: join(parent, "source"),
    target: join(parent, "target"),
    [Symbol.asyncDispose]: () => rm(parent, { recursive: true }),
  };
}

function refOf(content: string): BlobRef {
  const sha256 = createHash("sha256").update(content).digest("hex");
  return { key: crypto.randomUUID(), size: content.length, sha256 };
}

async function store(folder: string, ref: BlobRef, content: string): Promise<void> {
  await writeFile(await placeFor(folder, ref.key), content);
}

const UNVERIFIED = { wasVerified: false, wasDamaged: false };

describe("the copier of ciphertexts", () => {
  test("copies what is as its record says, and nothing else", async () => {
    await using folders = await newFolders();
    const { source, target } = folders;
    const copier = await openBlobCopier(source, target, () => false);
    const ref = refOf(CONTENT);
    for (const stored of [`${CONTENT}.`, CONTENT.slice(1), CONTENT.toUpperCase()]) {
      await store(source, ref, stored);
      expect(await copier.copy(ref)).toEqual({ outcome: "damaged", ...UNVERIFIED });
    }
    await store(source, ref, CONTENT);
    for (const size of [CONTENT.length - 1, CONTENT.length + 1])
      expect(await copier.copy({ ...ref, size })).toEqual({ outcome: "damaged", ...UNVERIFIED });
    expect(await readdir(join(target, "blobs", "tmp"))).toEqual([]);
    expect(await copier.copy(ref)).toEqual({ outcome: "copied", ...UNVERIFIED });
    expect(await readFile(blobIn(target, ref.key), "utf8")).toBe(CONTENT);
    expect(await copier.copy(ref)).toEqual({ outcome: "present", ...UNVERIFIED });
  });

  test("leaves what an earlier copy has, unless its size or its verified hash is another", async () => {
    await using folders = await newFolders();
    const { source, target } = folders;
    const [sound, damaged] = [refOf(CONTENT), refOf(CONTENT)];
    for (const ref of [sound, damaged]) await store(source, ref, CONTENT);
    await store(target, sound, CONTENT);
    await store(target, damaged, CONTENT.toUpperCase());
    const trusting = await openBlobCopier(source, target, () => false);
    expect(await trusting.copy(damaged)).toEqual({ outcome: "present", ...UNVERIFIED });
    const verifying = await openBlobCopier(source, target, () => true);
    const verified = { wasVerified: true, wasDamaged: false };
    expect(await verifying.copy(sound)).toEqual({ outcome: "present", ...verified });
    expect(await verifying.copy(damaged)).toEqual({ outcome: "copied", wasVerified: true, wasDamaged: true });
    expect(await readFile(blobIn(target, damaged.key), "utf8")).toBe(CONTENT);

    const short = refOf(CONTENT);
    await store(source, short, CONTENT);
    await store(target, short, "half");
    expect(await verifying.copy(short)).toEqual({ outcome: "copied", ...UNVERIFIED });
    await rm(blobIn(source, sound.key));
    await store(target, sound, CONTENT.toUpperCase());
    expect(await verifying.copy(sound)).toEqual({ outcome: "vanished", wasVerified: true, wasDamaged: true });
  });

  test("copies from the file that was opened, which may be deleted since, and closes it", async () => {
    await using folders = await newFolders();
    const { source, target } = folders;
    const copier = await openBlobCopier(source, target, () => false);
    const ref = refOf(CONTENT);
    await store(source, ref, CONTENT);
    const [first, second] = [await copier.open(ref), await copier.open(ref)];
    if (first === null || second === null) throw new Error("it is not there");
    await rm(blobIn(source, ref.key));
    expect(await copier.open(ref)).toBeNull();
    expect((await copier.copy(ref)).outcome).toBe("vanished");
    expect((await copier.copy(ref, first)).outcome).toBe("copied");
    expect((await copier.copy(ref, second)).outcome).toBe("present");
    expect([first.fd, second.fd]).toEqual([-1, -1]);
  });

  test("takes a name that is no ciphertext's for one that is not there", async () => {
    await using folders = await newFolders();
    const { source, target } = folders;
    const copier = await openBlobCopier(source, target, () => true);
    const ref = { ...refOf(CONTENT), key: "../letter" };
    await writeFile(join(source, "letter"), CONTENT).catch(() => mkdir(source));
    expect(await copier.open(ref)).toBeNull();
    expect(await copier.copy(ref)).toEqual({ outcome: "vanished", ...UNVERIFIED });
  });

  test("fails where it cannot make a folder or a file", async () => {
    await using folders = await newFolders();
    const { source, target } = folders;
    const copier = await openBlobCopier(source, target, () => false);
    const ref = refOf(CONTENT);
    await store(source, ref, CONTENT);
    await mkdir(await placeFor(target, ref.key));
    await expect(copier.copy(ref)).rejects.toThrow("EISDIR");
    await mkdir(source, { recursive: true });
    await writeFile(join(source, "file"), "");
    await expect(openBlobCopier(source, join(source, "file"), () => false)).rejects.toThrow("ENOTDIR");
  });

  test("deletes temporary files and unreferenced ciphertexts, and nothing else", async () => {
    await using folders = await newFolders();
    const { source, target } = folders;
    const copier = await openBlobCopier(source, target, () => false);
    const [kept, gone] = [refOf(CONTENT), refOf(CONTENT)];
    for (const ref of [kept, gone]) await store(target, ref, CONTENT);
    await writeFile(join(target, "blobs", "tmp", crypto.randomUUID()), "half a ciphertext");
    const letter = join(target, "blobs", gone.key.slice(0, 2), "letter");
    await writeFile(letter, "dear …");
    expect(await copier.prune((key) => key === kept.key)).toBe(1);
    expect(await readdir(join(target, "blobs", "tmp"))).toEqual([]);
    expect(await readFile(letter, "utf8")).toBe("dear …");
    expect(await readFile(blobIn(target, kept.key), "utf8")).toBe(CONTENT);
    await expect(readFile(blobIn(target, gone.key))).rejects.toThrow("ENOENT");
  });
});
