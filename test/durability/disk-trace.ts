/**
 * Whether acknowledged changes would survive a power failure, from the system calls of the process (strace(1) with
 * `-f -y`, fsync(2)): written bytes count as durable once their file was synced afterwards, and the name of a file or
 * folder once its parent folder was synced.
 *
 * For one request at a time: a concurrent write would be reported as one that the response did not wait for.
 */
import { dirname, join, sep } from "node:path";
import { MARK } from "../../src/storage/local/copy/mark.ts";
import { type Call, namesIn, openFile, TracedCalls } from "./traced-calls.ts";

/** What {@link DiskTrace} reads. Not every machine has all of them. */
export const TRACED_CALLS = [
  ...["open", "openat", "mkdir", "mkdirat", "link", "linkat", "rename", "renameat", "renameat2"],
  ...["unlink", "unlinkat", "write", "writev", "pwrite64", "pwritev", "pwritev2", "ftruncate"],
  ...["fsync", "fdatasync", "read", "readv", "recvfrom", "recvmsg", "sendto", "sendmsg"],
];

const SIGTERM_RECEIVED = /^\d+ +--- SIGTERM /;

export class DiskTrace {
  /** One line for each possible loss. */
  readonly losses: string[] = [];
  /** The number of successful responses. */
  answers = 0;
  /** The number of syncs, by what they made durable. */
  readonly syncs = { database: 0, ciphertext: 0, folder: 0 };
  readonly #dataDir: string;
  readonly #blobs: string;
  readonly #temporary: string;
  readonly #database: string;
  readonly #writeAheadLog: string;
  readonly #mark: string;
  /** The files and folders that are not durable, with the line that last changed them. */
  readonly #changed = new Map<string, number>();
  readonly #names = new Set<string>();
  readonly #calls = new TracedCalls({
    begins: (call) => this.#begins(call),
    ends: (call, result) => this.#ends(call, result),
  });
  #isIdle = false;

  /** @param dataDir the data folder, which is not there yet when the first process starts. A plain, real path. */
  constructor(dataDir: string) {
    this.#dataDir = dataDir;
    this.#blobs = join(dataDir, "blobs");
    this.#temporary = join(this.#blobs, "tmp");
    this.#database = join(dataDir, "records.sqlite");
    this.#writeAheadLog = `${this.#database}-wal`;
    this.#mark = join(dataDir, MARK);
  }

  /** The following lines are of another process. Its writes before the first request are not late. */
  startProcess(): void {
    this.#isIdle = false;
    this.#calls.startProcess();
  }

  read(text: string): void {
    if (SIGTERM_RECEIVED.test(text)) this.#isIdle = false; // on SIGTERM the process records when it was last in service
    this.#calls.read(text);
  }

  /** Checks what has to be durable before the call takes effect. */
  #begins({ name, parameters }: Call): void {
    const [from = "", to = ""] = namesIn(parameters);
    if (isWrite(name)) {
      if (openFile(parameters) === this.#writeAheadLog && name !== "ftruncate") this.#commits();
      this.#wrote(parameters);
      if (/^\d+<socket/.test(parameters) && parameters.includes('"HTTP/1.1 2')) this.#answered();
    }
    if (name.startsWith("rename")) {
      if (this.#changed.has(from)) this.#reportLoss(`${from} gets its name before its content is durable`);
      if (this.#isIdle && this.#isBlob(to)) this.#reportLoss(`${to} gets its name after the response`);
    }
    if (name.startsWith("unlink") && this.#isBlob(from) && this.#changed.has(this.#writeAheadLog))
      this.#reportLoss(`${from} is deleted before the commit that replaces it is durable`);
  }

  #ends({ name, parameters, line }: Call, result: string): void {
    if (!/^\d/.test(result)) return;
    const [path = "", to = ""] = namesIn(parameters);
    if (isWrite(name)) this.#wrote(parameters);
    const hasArrived = /^(read|recv)/.test(name) && result !== "0"; // 0 is the end of a connection
    if (hasArrived && /^\d+<socket/.test(parameters)) this.#isIdle = false;
    if (name === "fsync" || name === "fdatasync") this.#synced(openFile(parameters), line);
    if (name.startsWith("mkdir") || (name.startsWith("open") && parameters.includes("O_CREAT")))
      this.#named(path);
    if (/^(rename|link)/.test(name)) this.#named(to);
    if (/^(rename|unlink)/.test(name)) {
      this.#changed.delete(path);
      this.#names.delete(path);
    }
    // if the mark comes back, the next copy may delete acknowledged changes
    if (name.startsWith("unlink") && path === this.#mark) this.#changed.set(this.#dataDir, this.#calls.line);
  }

  #wrote(parameters: string): void {
    const file = openFile(parameters);
    if (file !== null && this.#counts(file)) this.#changed.set(file, this.#calls.line);
  }

  /** A blob has to be durable before a commit that refers to it. */
  #commits(): void {
    for (const [path, line] of this.#changed)
      if (path.startsWith(this.#blobs))
        this.#reportLoss(`${path}, changed in line ${line}, is not durable before a commit may be`);
    if (this.#isIdle) this.#reportLoss("a commit is made after the response");
  }

  /** Marks a folder as changed if the name is new in it. */
  #named(path: string): void {
    const folder = dirname(path);
    const isOnTheWay = path.startsWith(sep) && `${this.#dataDir}${sep}`.startsWith(path + sep);
    if (isOnTheWay || (this.#counts(folder) && !this.#names.has(path)))
      this.#changed.set(folder, this.#calls.line);
    this.#names.add(path);
  }

  /** A sync covers what was written before it began. */
  #synced(path: string | null, sinceLine: number): void {
    const line = this.#changed.get(path ?? "");
    if (path === null || line === undefined || line >= sinceLine) return;
    this.#changed.delete(path);
    const isFile = dirname(path) === this.#temporary;
    this.syncs[isFile ? "ciphertext" : path.startsWith(this.#database) ? "database" : "folder"]++;
  }

  #answered(): void {
    this.answers++;
    for (const [path, line] of this.#changed)
      this.#reportLoss(`${path}, changed in line ${line}, is not durable when a request is answered`);
    this.#changed.clear(); // each loss is reported once
    this.#isIdle = true;
  }

  #isBlob(path: string): boolean {
    return path.startsWith(this.#blobs + sep) && dirname(path) !== this.#temporary;
  }

  /**
   * Ciphertexts with their folders, and the database with its write-ahead log. Not what may be lost: the names of
   * unfinished files, the database's shared memory and its rollback journal.
   */
  #counts(path: string): boolean {
    if (path === this.#temporary) return false;
    const isOfDatabase = path === this.#database || path === this.#writeAheadLog;
    return path === this.#dataDir || isOfDatabase || (path + sep).startsWith(this.#blobs + sep);
  }

  #reportLoss(what: string): void {
    this.losses.push(`line ${this.#calls.line}: ${what}`);
  }
}

function isWrite(name: string): boolean {
  return /write|send|ftruncate/.test(name);
}
