/** Copies ciphertexts from one data folder to another, each checked against its hash and durable. */
import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncDirectory } from "../../../runtime/folders.ts";
import { orNullIfMissing } from "../../../runtime/system-errors.ts";
import { type Digest, readContent, writeContent } from "../../content-file.ts";
import type { BlobRef, Content } from "../../contract.ts";
import { blobFolders, blobPath, isBlobKey } from "../blobs.ts";
import { BLOBS } from "../layout.ts";

/** `vanished`: there is no such file in the source. `damaged`: it is not what the record says, and was not copied. */
export type BlobOutcome = "present" | "copied" | "vanished" | "damaged";

export interface CopiedBlob {
  readonly outcome: BlobOutcome;
  /** Whether an earlier copy had one of this size, and its hash was compared. */
  readonly wasVerified: boolean;
  /** Whether the one of the earlier copy had another hash. */
  readonly wasDamaged: boolean;
}

export interface BlobCopier {
  /** Opens a ciphertext of the source, which can then be read even after it is deleted. */
  open(ref: BlobRef): Promise<FileHandle | null>;
  /**
   * Copies a ciphertext unless an earlier copy has it: with its size, and with its hash if it is to be verified.
   * Closes `opened`.
   */
  copy(ref: BlobRef, opened?: FileHandle): Promise<CopiedBlob>;
  /** Makes the names of what was copied durable. */
  sync(): Promise<void>;
  /** Deletes the copy's unreferenced ciphertexts, and temporary files of interrupted copies; returns how many ciphertexts. */
  prune(isReferenced: (key: string) => boolean): Promise<number>;
}

/** @param isVerified which ciphertexts of an earlier copy are compared with their hash. */
export async function openBlobCopier(
  source: string,
  target: string,
  isVerified: (key: string) => boolean,
): Promise<BlobCopier> {
  const [from, to] = [join(source, BLOBS), join(target, BLOBS)];
  const temporary = join(to, "tmp");
  await mkdir(temporary, { recursive: true, mode: 0o700 });

  const openSource = async ({ key }: BlobRef) =>
    isBlobKey(key) ? orNullIfMissing(open(blobPath(from, key), "r")) : null;

  return {
    open: openSource,

    async copy(ref, opened) {
      if (!isBlobKey(ref.key)) return { outcome: "vanished", wasVerified: false, wasDamaged: false };
      const path = blobPath(to, ref.key);
      const hasItsSize = (await orNullIfMissing(stat(path)))?.size === ref.size;
      const wasVerified = hasItsSize && isVerified(ref.key);
      const wasDamaged = wasVerified && !(await hasHash(path, ref));
      const isPresent = hasItsSize && !wasDamaged;
      await using file = opened ?? (isPresent ? null : await openSource(ref));
      if (isPresent || file === null)
        return { outcome: isPresent ? "present" : "vanished", wasVerified, wasDamaged };
      const outcome = await copyVerified(file, ref, path, join(temporary, randomUUID()));
      return { outcome, wasVerified, wasDamaged };
    },

    async sync() {
      for (const folder of await blobFolders(to)) await syncDirectory(join(to, folder));
      await syncDirectory(to);
    },

    async prune(isReferenced) {
      let pruned = 0;
      for (const name of await readdir(temporary)) await unlink(join(temporary, name));
      for (const folder of await blobFolders(to))
        for (const key of await readdir(join(to, folder))) {
          if (!isBlobKey(key) || isReferenced(key)) continue;
          await unlink(join(to, folder, key));
          pruned += 1;
        }
      return pruned;
    },
  };
}

async function hasHash(path: string, { size, sha256 }: BlobRef): Promise<boolean> {
  await using file = await open(path, "r");
  const hash = createHash("sha256");
  for await (const piece of readContent(file, size)) hash.update(piece);
  return hash.digest("hex") === sha256;
}

async function copyVerified(
  file: FileHandle,
  ref: BlobRef,
  path: string,
  temporary: string,
): Promise<"copied" | "damaged"> {
  const { size, sha256 } = await writeTo(temporary, readContent(file, ref.size + 1));
  if (size !== ref.size || sha256 !== ref.sha256) {
    await unlink(temporary);
    return "damaged";
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await rename(temporary, path);
  return "copied";
}

async function writeTo(path: string, content: Content): Promise<Digest> {
  await using file = await open(path, "wx", 0o600);
  const digest = await writeContent(file, content);
  await file.sync();
  return digest;
}
