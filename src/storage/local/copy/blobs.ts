/** Copies ciphertexts from one data folder to another, each checked against its hash and durable. */
import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncDirectory } from "../../../runtime/folders.ts";
import { orNullIfMissing } from "../../../runtime/system-errors.ts";
import { digestOf } from "../../content-file.ts";
import type { BlobRef } from "../../contract.ts";
import { blobPath, isBlobKey } from "../blobs.ts";
import { BLOBS } from "../layout.ts";

const CHUNK_BYTES = 256 * 1024;

/** `vanished`: there is no such file in the source. `damaged`: it is not what the record says, and was not copied. */
export type BlobOutcome = "present" | "copied" | "vanished" | "damaged";

export interface CopiedBlob {
  readonly outcome: BlobOutcome;
  /** Whether one of its size was there and was read. */
  readonly wasVerified: boolean;
  /** Whether it was another one, so that it was copied again. */
  readonly wasDamaged: boolean;
}

export interface BlobCopier {
  /** Opens a ciphertext of the source: as long as it is open it can be read, also when it is deleted meanwhile. */
  open(ref: BlobRef): Promise<FileHandle | null>;
  /**
   * Copies a ciphertext unless one of its size is there, and of its hash if it is to be verified. `opened` is closed.
   */
  copy(ref: BlobRef, opened?: FileHandle): Promise<CopiedBlob>;
  /** Makes the names of what was copied durable. */
  sync(): Promise<void>;
  /** Deletes ciphertexts of the copy, and what interrupted copies left; returns how many ciphertexts. */
  prune(isReferenced: (key: string) => boolean): Promise<number>;
}

/** @param isVerified which ciphertexts that are there already are read, and compared with their hash. */
export async function openBlobCopier(
  source: string,
  target: string,
  isVerified: (key: string) => boolean,
): Promise<BlobCopier> {
  const [from, to] = [join(source, BLOBS), join(target, BLOBS)];
  const temporary = join(to, "tmp");
  await mkdir(temporary, { recursive: true, mode: 0o700 });

  async function openSource(ref: BlobRef): Promise<FileHandle | null> {
    return isBlobKey(ref.key) ? orNullIfMissing(open(blobPath(from, ref.key), "r")) : null;
  }

  return {
    open: openSource,

    async copy(ref, opened) {
      const unverified = { wasVerified: false, wasDamaged: false };
      if (!isBlobKey(ref.key)) return { outcome: "vanished", ...unverified };
      const path = blobPath(to, ref.key);
      const hasItsSize = (await orNullIfMissing(stat(path)))?.size === ref.size;
      const wasVerified = hasItsSize && isVerified(ref.key);
      const wasDamaged = wasVerified && !(await hasHash(path, ref.sha256));
      const present = hasItsSize && !wasDamaged;
      const file = opened ?? (present ? null : await openSource(ref));
      const outcome = (result: BlobOutcome) => ({ outcome: result, wasVerified, wasDamaged });
      if (file === null) return outcome(present ? "present" : "vanished");
      try {
        return outcome(
          present ? "present" : await copyVerified(file, ref, path, join(temporary, randomUUID())),
        );
      } finally {
        await file.close();
      }
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

async function hasHash(path: string, sha256: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    return (await digestOf(file)).sha256 === sha256;
  } finally {
    await file.close();
  }
}

async function copyVerified(
  file: FileHandle,
  ref: BlobRef,
  path: string,
  temporary: string,
): Promise<BlobOutcome> {
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, ref.size + 1));
  const hash = createHash("sha256");
  const copy = await open(temporary, "wx", 0o600);
  let size = 0;
  try {
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, size);
      if (bytesRead === 0) break;
      const piece = buffer.subarray(0, bytesRead);
      hash.update(piece);
      size += bytesRead;
      await copy.writeFile(piece); // goes on where the last one ended
    }
    await copy.sync();
  } finally {
    await copy.close();
  }
  if (size !== ref.size || hash.digest("hex") !== ref.sha256) {
    await unlink(temporary);
    return "damaged";
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await rename(temporary, path);
  return "copied";
}

async function blobFolders(root: string): Promise<string[]> {
  return (await readdir(root)).filter((name) => /^[0-9a-f]{2}$/.test(name));
}
