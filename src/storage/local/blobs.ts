/** The blob store of the embedded driver: one file per ciphertext, `blobs/<2 hex>/<uuid>`. */
import { closeSync, openSync, readSync } from "node:fs";
import { mkdir, open, readdir, rename, stat, statfs, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Random } from "../../runtime/clock.ts";
import { makeFolder, requireWritable, syncDirectory } from "../../runtime/folders.ts";
import { SMALL_BYTES } from "../../runtime/sizes.ts";
import { orNullIfMissing } from "../../runtime/system-errors.ts";
import { type Digest, fileOperation, readContent, writeContent } from "../content-file.ts";
import { type BlobRef, type Content, StorageUnavailable } from "../contract.ts";
import type { InspectableBlobs } from "../inspection.ts";
import { digestOfPieces, takeBySize } from "../small-content.ts";
import { requireIntact, streamFrom, streamOf, verified } from "../verified-content.ts";
import { installationIdAt, lastSeenMsAt, writeInstallationId, writeLastSeen } from "./installation-file.ts";
import { BLOBS } from "./layout.ts";

/** How many names of a list are looked through before other work is done. */
const NAMES_AT_ONCE = 500;
const TEMPORARY_MAX_AGE_MS = 60 * 60 * 1000;
const KEY = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export interface LocalBlobsOptions {
  readonly dataDir: string;
  readonly random: Random;
  /** Replaces calls of the operating system in tests. */
  readonly disk?: Partial<Disk>;
}

interface Disk {
  /** Makes the entries of a folder durable. */
  syncDirectory(path: string): Promise<void>;
  /** How many bytes this user may still write to the file system of a folder. */
  freeBytes(path: string): Promise<number>;
}

/** Opens (and creates) `blobs/` in `dataDir`. Folders are made with mode 0700, files with 0600. */
export async function openLocalBlobs({
  dataDir,
  random,
  disk,
}: LocalBlobsOptions): Promise<InspectableBlobs> {
  const root = join(dataDir, BLOBS);
  const temporary = join(root, "tmp");
  await makeFolder(temporary);
  await removeAbandoned(temporary);
  // a process that was killed may have created the database or a folder and not made it durable
  await syncDirectory(dataDir);
  await syncDirectory(root);
  return new LocalBlobs(root, temporary, random, { syncDirectory, freeBytes, ...disk });
}

class LocalBlobs implements InspectableBlobs {
  readonly #root: string;
  readonly #temporary: string;
  readonly #random: Random;
  readonly #disk: Disk;
  readonly #folders = new Map<string, Promise<void>>();

  constructor(root: string, temporary: string, random: Random, disk: Disk) {
    this.#root = root;
    this.#temporary = temporary;
    this.#random = random;
    this.#disk = disk;
  }

  async put(_backupId: string, content: Content): Promise<BlobRef> {
    const key = this.#random.uuid();
    const path = this.#path(key);
    const temporary = join(this.#temporary, key);
    try {
      const digest = await writeDurably(temporary, content);
      await fileOperation(() => this.#move(temporary, path));
      return { key, ...digest };
    } catch (error) {
      // the file has its final name already if only the sync of its folder failed
      const removed = await Promise.allSettled([removeIfThere(temporary), removeIfThere(path)]);
      const left = removed.filter((result) => result.status === "rejected");
      if (left.length === 0) throw error;
      throw new StorageUnavailable("a ciphertext that could not be stored could not be removed either", {
        cause: new AggregateError([error, ...left.map((result) => result.reason)]),
      });
    }
  }

  async get(ref: BlobRef): Promise<ReadableStream<Uint8Array> | null> {
    const path = this.#path(ref.key);
    if (ref.size <= SMALL_BYTES) {
      const content = await fileOperation(() => readIfThere(path, ref.size + 1));
      if (content === null) return null;
      requireIntact(ref, digestOfPieces([content]));
      return streamOf([content]);
    }
    const file = await fileOperation(() => openIfThere(path));
    return file && streamFrom(verified(ref, readContent(file, ref.size + 1)), () => file.close());
  }

  async sizeOf(key: string): Promise<number | null> {
    if (!isBlobKey(key)) return null;
    return (await fileOperation(() => statIfThere(this.#path(key))))?.size ?? null;
  }

  async delete(key: string): Promise<void> {
    await fileOperation(() => removeIfThere(this.#path(key)));
  }

  async freeBytes(): Promise<number> {
    return fileOperation(() => this.#disk.freeBytes(this.#root));
  }

  async *list(isSkipped: (key: string) => boolean = () => false) {
    for (const folder of await fileOperation(() => blobFolders(this.#root))) {
      const names = await fileOperation(() => readdir(join(this.#root, folder)));
      for (const [index, key] of names.entries()) {
        if (index % NAMES_AT_ONCE === 0) await nextTurn();
        if (!isBlobKey(key) || isSkipped(key)) continue;
        const found = await fileOperation(() => statIfThere(join(this.#root, folder, key)));
        if (found !== null) yield { key, size: found.size, storedAtMs: found.mtimeMs, backupId: null };
      }
    }
  }

  async installationId(): Promise<string | null> {
    return fileOperation(() => installationIdAt(this.#root));
  }

  async markInstallation(id: string): Promise<string> {
    return fileOperation(() =>
      writeInstallationId(this.#root, id, join(this.#temporary, this.#random.uuid())),
    );
  }

  async lastSeenMs(): Promise<number | null> {
    return fileOperation(() => lastSeenMsAt(this.#root));
  }

  async markSeen(nowMs: number): Promise<void> {
    await fileOperation(() => writeLastSeen(this.#root, nowMs, join(this.#temporary, this.#random.uuid())));
  }

  async ready(): Promise<void> {
    await fileOperation(() => stat(this.#temporary));
  }

  async writable(): Promise<void> {
    await fileOperation(() => requireWritable(this.#temporary, this.#random.uuid()));
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #path(key: string): string {
    return blobPath(this.#root, key);
  }

  /** Gives a file its final name, durably. */
  async #move(temporary: string, path: string): Promise<void> {
    const folder = dirname(path);
    await this.#folder(folder);
    try {
      await rename(temporary, path);
    } catch (error) {
      this.#folders.delete(folder); // the folder may have been removed
      throw error;
    }
    await this.#disk.syncDirectory(folder);
  }

  /** Makes a folder durably, once. */
  #folder(path: string): Promise<void> {
    const known = this.#folders.get(path);
    if (known !== undefined) return known;
    const made = mkdir(path, { recursive: true, mode: 0o700 }).then(() =>
      this.#disk.syncDirectory(this.#root),
    );
    this.#folders.set(path, made);
    made.catch(() => this.#folders.delete(path)); // the next caller retries
    return made;
  }
}

async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

export function isBlobKey(key: string): boolean {
  return KEY.test(key);
}

/** The folders that ciphertexts are in. @param root the folder `blobs` of a data folder. */
export async function blobFolders(root: string): Promise<string[]> {
  return (await readdir(root)).filter((name) => /^[0-9a-f]{2}$/.test(name));
}

/** @param root the folder `blobs` of a data folder. */
export function blobPath(root: string, key: string): string {
  if (!isBlobKey(key)) throw new Error(`not a blob key: ${key.slice(0, 50)}`);
  return join(root, key.slice(0, 2), key);
}

/**
 * Writes content to a new file, durably.
 *
 * @throws StorageUnavailable when the file system refuses; what `content` throws. The file may be there then.
 */
function writeDurably(path: string, content: Content): Promise<Digest> {
  return takeBySize(
    content,
    (size) => size <= SMALL_BYTES,
    async (pieces) => {
      const bytes = Buffer.concat(pieces);
      await fileOperation(() => writeFile(path, bytes, { flag: "wx", mode: 0o600, flush: true }));
      return digestOfPieces([bytes]);
    },
    async (chunks) => {
      const file = await fileOperation(() => open(path, "wx", 0o600));
      try {
        const digest = await writeContent(file, chunks);
        await fileOperation(() => file.sync());
        return digest;
      } finally {
        await fileOperation(() => file.close());
      }
    },
  );
}

/** The first `maxBytes` of a file. Synchronous, like the record store. */
function readStart(path: string, maxBytes: number): Uint8Array {
  const file = openSync(path, "r");
  try {
    const buffer = new Uint8Array(maxBytes);
    let length = 0;
    for (let read = -1; read !== 0 && length < maxBytes; length += read)
      read = readSync(file, buffer, length, maxBytes - length, length);
    return buffer.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

/** Removes temporary files of writes that a crash interrupted. Recent ones may belong to another process. */
async function removeAbandoned(temporary: string): Promise<void> {
  for (const name of await readdir(temporary)) {
    const path = join(temporary, name);
    const found = await statIfThere(path);
    if (found !== null && Date.now() - found.mtimeMs > TEMPORARY_MAX_AGE_MS) await removeIfThere(path);
  }
}

const readIfThere = (path: string, maxBytes: number) =>
  orNullIfMissing(Promise.try(() => readStart(path, maxBytes)));
const openIfThere = (path: string) => orNullIfMissing(open(path, "r"));
const statIfThere = (path: string) => orNullIfMissing(stat(path));
const removeIfThere = (path: string) => orNullIfMissing(unlink(path));
