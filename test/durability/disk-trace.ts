/**
 * What a power failure would leave of what was answered, judged from the system calls of the process (strace(1) with
 * `-f -y`, fsync(2)): written bytes count as kept when their file was synced afterwards, and the name of a file or
 * folder when the folder that it is in was.
 *
 * For one request at a time: what belongs to another would look like something that the answer did not wait for.
 */
import { dirname, join, sep } from "node:path";

/** What {@link DiskTrace} reads. */
export const TRACED_CALLS = [
  ...["openat", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat"],
  ...["write", "writev", "pwrite64", "pwritev", "pwritev2", "ftruncate", "fsync", "fdatasync"],
  ...["sendto", "sendmsg"],
];

/** `12 write(3</a>, "x"..., 9) = 9`, or one half of it when another thread came in between. */
const WHOLE = /^\d+ +(\w+)\((.*)\) += (.+)$/;
const BEGINNING = /^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$/;
const REST = /^(\d+) +<\.\.\. \w+ resumed>(.*)\) += (.+)$/;

interface Call {
  readonly name: string;
  readonly parameters: string;
  /** The line it began in. */
  readonly line: number;
}

export class DiskTrace {
  /** What would be lost, one line for each way. */
  readonly losses: string[] = [];
  /** Answers that said yes. */
  answers = 0;
  /** Files and folders made durable. */
  syncs = 0;
  readonly #dataDir: string;
  readonly #blobs: string;
  readonly #temporary: string;
  readonly #log: string;
  /** What is not durable, with the line that last changed it. */
  readonly #changed = new Map<string, number>();
  readonly #names = new Set<string>();
  readonly #begun = new Map<string, Call>();
  #line = 0;

  /** @param dataDir the data folder, which is not there yet when the process starts. */
  constructor(dataDir: string) {
    this.#dataDir = dataDir;
    this.#blobs = join(dataDir, "blobs");
    this.#temporary = join(this.#blobs, "tmp");
    this.#log = join(dataDir, "records.sqlite-wal");
  }

  read(text: string): void {
    this.#line++;
    const [, name = "", parameters = "", result = ""] = WHOLE.exec(text) ?? [];
    if (name !== "") {
      const call = { name, parameters, line: this.#line };
      this.#begins(call);
      this.#ends(call, result);
      return;
    }
    const [, beginner = "", begun = "", known = ""] = BEGINNING.exec(text) ?? [];
    if (begun !== "") {
      const call = { name: begun, parameters: known, line: this.#line };
      this.#begun.set(beginner, call);
      this.#begins(call);
      return;
    }
    const [, ender = "", more = "", outcome = ""] = REST.exec(text) ?? [];
    const call = this.#begun.get(ender);
    if (call === undefined) return;
    this.#begun.delete(ender);
    this.#ends({ ...call, parameters: call.parameters + more }, outcome);
  }

  /** What has to be durable by now, and what may take effect from now on. */
  #begins({ name, parameters }: Call): void {
    const [from = ""] = namesIn(parameters);
    if (isWrite(name)) this.#wrote(parameters);
    if (isWrite(name) && /^\d+<(socket|TCP)/.test(parameters) && parameters.includes('"HTTP/1.1 2'))
      this.#answered();
    if (name.startsWith("rename") && this.#changed.has(from))
      this.#loses(`${from} gets its name before its content is durable`);
    if (name.startsWith("unlink") && this.#isBlob(from) && this.#changed.has(this.#log))
      this.#loses(`${from} is deleted before the commit that replaces it is durable`);
  }

  #ends({ name, parameters, line }: Call, result: string): void {
    if (result.startsWith("-1")) return;
    const [path = "", to = ""] = namesIn(parameters);
    if (isWrite(name)) this.#wrote(parameters);
    if (name === "fsync" || name === "fdatasync") this.#synced(openFile(parameters), line);
    if (name.startsWith("mkdir") || (name === "openat" && parameters.includes("O_CREAT"))) this.#named(path);
    if (name.startsWith("rename")) this.#named(to);
    if (name.startsWith("rename") || name.startsWith("unlink")) {
      this.#changed.delete(path);
      this.#names.delete(path);
    }
  }

  #wrote(parameters: string): void {
    const file = openFile(parameters);
    if (file !== null && this.#counts(file)) this.#changed.set(file, this.#line);
  }

  /** A name may be new in its folder. */
  #named(path: string): void {
    const folder = dirname(path);
    const isOnTheWay = `${this.#dataDir}${sep}`.startsWith(path + sep);
    if (isOnTheWay || (this.#counts(folder) && !this.#names.has(path))) this.#changed.set(folder, this.#line);
    this.#names.add(path);
  }

  /** A sync covers what was written before it began. */
  #synced(path: string | null, sinceLine: number): void {
    this.syncs++;
    const line = this.#changed.get(path ?? "");
    if (path !== null && line !== undefined && line < sinceLine) this.#changed.delete(path);
  }

  #answered(): void {
    this.answers++;
    for (const [path, line] of this.#changed)
      this.#loses(`${path}, changed in line ${line}, is not durable when a request is answered`);
    this.#changed.clear(); // told once
  }

  #isBlob(path: string): boolean {
    return path.startsWith(this.#blobs + sep) && dirname(path) !== this.#temporary;
  }

  /**
   * Ciphertexts with their folders, and the log of the database. Not what nobody misses: the names of unfinished files,
   * the database's shared memory and rollback journal. And not the database itself, which can be made anew from its log
   * until SQLite has synced it (https://www.sqlite.org/wal.html, "Checkpointing").
   */
  #counts(path: string): boolean {
    if (path === this.#temporary) return false;
    return path === this.#dataDir || path === this.#log || (path + sep).startsWith(this.#blobs + sep);
  }

  #loses(what: string): void {
    this.losses.push(`line ${this.#line}: ${what}`);
  }
}

function isWrite(name: string): boolean {
  return /write|send|ftruncate/.test(name);
}

/** The path behind the file descriptor that comes first. */
function openFile(parameters: string): string | null {
  return /^\d+<(\/[^>]*)>/.exec(parameters)?.[1] ?? null;
}

/** The paths that are given by name. */
function namesIn(parameters: string): string[] {
  return [...parameters.matchAll(/"(\/[^"]*)"/g)].map(([, path = ""]) => path);
}
