/** Whether a copy of a data folder would survive a power failure, from the system calls of the process that makes it. */
import { dirname, join, sep } from "node:path";
import { MARK } from "../../src/storage/local/copy/mark.ts";
import { type Call, namesIn, openFile, TracedCalls } from "./traced-calls.ts";

/** What {@link CopyTrace} reads. Not every machine has all of them. */
export const TRACED_CALLS = [
  ...["open", "openat", "mkdir", "mkdirat", "link", "linkat", "rename", "renameat", "renameat2"],
  ...["unlink", "unlinkat", "write", "writev", "pwrite64", "ftruncate", "copy_file_range", "sendfile"],
  ...["sendto", "sendmsg", "fsync", "fdatasync"],
];

export class CopyTrace {
  /** One line for each possible loss. */
  readonly losses: string[] = [];
  /** What was done, so that a test knows that it was seen. */
  readonly counts = { reports: 0, databases: 0, ciphertexts: 0, deletions: 0 };
  readonly #target: string;
  readonly #blobs: string;
  readonly #database: string;
  readonly #calls = new TracedCalls({
    begins: (call) => this.#begins(call),
    ends: (call, result) => this.#ends(call, result),
  });
  /** The files and folders that are not durable, with the line that last changed them. */
  readonly #changed = new Map<string, number>();

  /** @param target the folder of the copy. A plain, real path. */
  constructor(target: string) {
    this.#target = target;
    this.#blobs = join(target, "blobs");
    this.#database = join(target, "records.sqlite");
  }

  read(text: string): void {
    this.#calls.read(text);
  }

  /** Checks what has to be durable before the call takes effect. */
  #begins({ name, parameters }: Call): void {
    const [from = "", to = ""] = namesIn(parameters);
    if (/^\d+<[^>]*>, .*"Copied to/.test(parameters)) {
      this.counts.reports++;
      this.#require(() => true, "when the copy is reported");
    }
    if (/^(rename|link)/.test(name)) this.#require((path) => path === from, "when it gets its name");
    if (name.startsWith("rename") && to === this.#database) {
      this.counts.databases++;
      this.#require((path) => path.startsWith(this.#blobs), "before the records that refer to it");
    }
    if (name.startsWith("rename") && this.#isCiphertext(to)) this.counts.ciphertexts++;
    if (name.startsWith("unlink") && this.#isCiphertext(from)) {
      this.counts.deletions++;
      this.#require((path) => path === this.#target, `before ${from} is deleted`);
    }
    if (name.startsWith("open") && parameters.includes("O_CREAT") && !this.#mayBeLeft(from))
      this.losses.push(`${from} is not deleted by the next copy if this one is interrupted`);
  }

  #ends({ name, parameters, line }: Call, result: string): void {
    if (!/^\d/.test(result)) return;
    const [path = "", to = ""] = namesIn(parameters);
    const file = openFile(parameters);
    if (/write|ftruncate/.test(name) && file !== null) this.#change(file);
    // the other file of these is in the parameters too
    if (/^(copy_file_range|sendfile)$/.test(name))
      for (const [, written = ""] of parameters.matchAll(/<(\/[^>]*)>/g)) this.#change(written);
    if (name.startsWith("open") && parameters.includes("O_CREAT")) this.#change(path);
    const isOnTheWay = `${this.#target}${sep}`.startsWith(path + sep);
    if (name.startsWith("mkdir") && (isOnTheWay || path.startsWith(this.#target + sep)))
      this.#changed.set(dirname(path), this.#calls.line);
    if (/^(rename|unlink)/.test(name)) this.#changed.delete(path);
    if (/^(rename|link)/.test(name)) this.#changed.set(dirname(to), this.#calls.line);
    // a sync covers what was changed before it began
    if (/^f(data)?sync$/.test(name) && (this.#changed.get(file ?? "") ?? line) < line)
      this.#changed.delete(file ?? "");
  }

  /** Notes that a file is written that gets its name later. */
  #change(path: string): void {
    if (this.#isTemporary(path)) this.#changed.set(path, this.#calls.line);
  }

  #isTemporary(path: string): boolean {
    const isOfSqlite = path.endsWith("-journal");
    return (
      (path.startsWith(`${this.#database}.`) && !isOfSqlite) || dirname(path) === join(this.#blobs, "tmp")
    );
  }

  #mayBeLeft(path: string): boolean {
    const isOther = !path.startsWith(this.#target + sep);
    return (
      isOther ||
      path.startsWith(join(this.#target, MARK)) ||
      path.endsWith("-journal") ||
      this.#isTemporary(path)
    );
  }

  #isCiphertext(path: string): boolean {
    return dirname(dirname(path)) === this.#blobs && !this.#isTemporary(path);
  }

  #require(isMeant: (path: string) => boolean, when: string): void {
    for (const [path, line] of this.#changed)
      if (isMeant(path)) this.losses.push(`${path}, changed in line ${line}, is not durable ${when}`);
  }
}
