import type { Explanations } from "./explanations.ts";

export const STORAGE_LOCAL_COPY: Explanations = {
  "src/storage/local/copy/mark.ts": [
    {
      line: 'if (errorCode(error) === "SQLITE_CANTOPEN") return null; // removed just now',
      mutation: 'true for: errorCode(error) === "SQLITE_CANTOPEN"',
      reason:
        "A file is opened later, with its first statement; only a missing one, or a folder, fails before.",
    },
    {
      line: "lock.close(); // a service has removed it meanwhile",
      mutation: "removed: lock.close();",
      reason: "The lock of a file that has no name; it is closed when its memory is freed.",
    },
    {
      line: "lock.close(); // it has locked nothing",
      mutation: "removed: lock.close();",
      reason: "A connection without a lock, which is closed when its memory is freed.",
    },
    {
      line: 'readonly code = "COPY_UNUSABLE";',
      mutation: '"" for: "COPY_UNUSABLE"',
      reason: "It tells people apart what the message says.",
    },
    {
      line: "const BUSY_PAUSE_MS = 20;",
      mutation: "21 for: 20",
      reason: "Some milliseconds between attempts, of which none is promised.",
    },
    {
      line: 'override name = "CopyUnusable";',
      mutation: '"" for: "CopyUnusable"',
      reason: "A name for people, in the log.",
    },
    {
      line: 'for (; lock === "busy" && performance.now() - startedMs < waitMs; lock = lockMark(path))',
      mutation: "<= for <: performance.now() - startedMs < waitMs",
      reason: "Some seconds, of which none is promised.",
    },
    {
      line: "for (const name of names) if (PARTIAL.test(name)) await unlink(join(dataDir, name));",
      mutation: "without await: unlink(join(dataDir, name))",
      reason: "It is removed a moment later.",
    },
    {
      line: "await unlink(path);",
      mutation: "without await: unlink(path)",
      reason: "It is removed a moment later.",
    },
    {
      line: "await syncDirectory(dataDir);",
      mutation: "removed: await syncDirectory(dataDir);",
      reason: "Only a power failure shows it: test/durability.",
    },
    {
      line: "await syncDirectory(dataDir);",
      mutation: "without await: syncDirectory(dataDir)",
      reason: "Only a power failure shows it: test/durability.",
    },
  ],
  "src/storage/local/copy/references.ts": [
    {
      line: "if ((version?.user_version ?? 0) < FIRST_SCHEMA_WITH_HISTORY)",
      mutation: "1 for: 0",
      reason: "The pragma has a row; the types do not know that.",
    },
  ],
  "src/storage/local/copy/target.ts": [
    {
      line: "using database = new Database(path, { readwrite: true });",
      mutation: "false for: true",
      reason: "The file is there, and without the option it is opened to be written as well.",
    },
    {
      line: "const unmarked = { nextShare: 0, installationId: null };",
      mutation: "1 for: 0",
      reason: "Any share may be the first; all have their turn.",
    },
    {
      line: "using database = new Database(join(source, DATABASE), { readonly: true });",
      mutation: "false for: true",
      reason: "The file is there, and nothing is written.",
    },
    {
      line: "await chmod(join(target, MARK), 0o600);",
      mutation: "without await: chmod(join(target, MARK), 0o600)",
      reason: "The mode is set a moment later.",
    },
    {
      line: "await chmod(target, 0o700);",
      mutation: "without await: chmod(target, 0o700)",
      reason: "The mode is set a moment later.",
    },
    {
      line: 'override name = "CopyRefused";',
      mutation: '"" for: "CopyRefused"',
      reason: "A name for people, in the log.",
    },
  ],
  "src/storage/local/copy/data.ts": [
    {
      line: "await file.sync();",
      mutation: "without await: file.sync()",
      reason: "To close the file waits for its sync.",
    },
    {
      line: "using records = new Database(database, { readonly: true });",
      mutation: "false for: true",
      reason: "The file is there, and nothing is written.",
    },
    {
      line: "await chmod(partial, 0o600);",
      mutation: "without await: chmod(partial, 0o600)",
      reason: "The mode is set a moment later.",
    },
    {
      line: 'database.run("PRAGMA synchronous = OFF"); // the file is synced as a whole',
      mutation: 'removed: database.run("PRAGMA synchronous = OFF");',
      reason: "How long a copy takes is not promised.",
    },
    {
      line: "for (let start = 0; start < needs.length; start += WIDTH)",
      mutation: "<= for <: start < needs.length",
      reason: "No ciphertext is left for the last iteration.",
    },
    {
      line: "await syncDirectory(target);",
      mutation: "without await: syncDirectory(target)",
      reason: "The syncs after it take longer; only a power failure between them shows it.",
    },
    {
      line: "await rename(partial, join(target, DATABASE));",
      mutation: "without await: rename(partial, join(target, DATABASE))",
      reason: "It is renamed before the folder is opened, which is synced then.",
    },
    {
      line: "await Promise.all(opened.map((file) => file.close()));",
      mutation: "without await: Promise.all(opened.map((file) => file.close()))",
      reason: "They are closed a moment later.",
    },
    {
      line: "await rm(partial, { force: true });",
      mutation: "without await: rm(partial, { force: true })",
      reason: "It is removed a moment later.",
    },
    {
      line: "if (name.startsWith(`${DATABASE}.`)) await unlink(join(target, name)); // of an interrupted copy",
      mutation: "without await: unlink(join(target, name))",
      reason: "It is removed a moment later.",
    },
    {
      line: "return { needs, opened: needs.length > MAX_OPEN ? null : await openAll(needs, blobs) };",
      mutation: ">= for >: needs.length > MAX_OPEN",
      reason: "How many at a time is not promised.",
    },
    {
      line: "const MAX_OPEN = 200;",
      mutation: "201 for: 200",
      reason: "How many at a time is not promised.",
    },
    {
      line: "const WIDTH = 8;",
      mutation: "9 for: 8",
      reason: "How many at a time is not promised.",
    },
  ],
  "src/storage/local/copy/records.ts": [
    {
      line: "this.#copy.run(`PRAGMA main.user_version = ${version?.user_version ?? 0}`);",
      mutation: "1 for: 0",
      reason: "The pragma has a row; the types do not know that.",
    },
    {
      line: "this.#copy.run(`PRAGMA main.user_version = ${version?.user_version ?? 0}`);",
      mutation: "without right of ??: version?.user_version ?? 0",
      reason: "The pragma has a row; the types do not know that.",
    },
    {
      line: ".all(limit + 1)",
      mutation: "2 for: 1",
      reason: "Any ciphertext above the limit shows that there are more.",
    },
    {
      line: 'this.#copy.run("PRAGMA synchronous = OFF");',
      mutation: 'removed: this.#copy.run("PRAGMA synchronous = OFF");',
      reason: "How long a copy takes is not promised.",
    },
    {
      line: 'this.#copy.run("PRAGMA journal_mode = MEMORY");',
      mutation: 'removed: this.#copy.run("PRAGMA journal_mode = MEMORY");',
      reason: "How long a copy takes is not promised.",
    },
    {
      line: "this.#copy.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);",
      mutation: "removed: this.#copy.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);",
      reason: "Readers of a log wait for nobody but a process that recovers it after a crash.",
    },
    {
      line: "this.#copy = new Database(copy, { readwrite: true });",
      mutation: "false for: true",
      reason: "The file is there, and without the option it is opened to be written as well.",
    },
    {
      line: "takenAtMs = 0;",
      mutation: "1 for: 0",
      reason: "It is replaced when the snapshot is copied.",
    },
    {
      line: "const PAGE = 500;",
      mutation: "501 for: 500",
      reason: "The same list, in other pages.",
    },
    {
      line: "const BUSY_TIMEOUT_MS = 10_000;",
      mutation: "10001 for: 10_000",
      reason: "Some seconds, of which none is promised.",
    },
  ],
  "src/storage/local/copy/blobs.ts": [
    {
      line: "for (const name of await readdir(temporary)) await unlink(join(temporary, name));",
      mutation: "without await: unlink(join(temporary, name))",
      reason: "It is removed a moment later.",
    },
    {
      line: "for (const folder of await blobFolders(to)) await syncDirectory(join(to, folder));",
      mutation: "without await: syncDirectory(join(to, folder))",
      reason: "The syncs after it take longer; only a power failure between them shows it.",
    },
    {
      line: "await file.sync();",
      mutation: "without await: file.sync()",
      reason: "To close the file waits for its sync.",
    },
    {
      line: "await unlink(temporary);",
      mutation: "without await: unlink(temporary)",
      reason: "It is removed a moment later.",
    },
    {
      line: "const { size, sha256 } = await writeTo(temporary, readContent(file, ref.size + 1));",
      mutation: "2 for: 1",
      reason: "Any byte too many shows that the file is too long.",
    },
    {
      line: "await unlink(join(to, folder, key));",
      mutation: "without await: unlink(join(to, folder, key))",
      reason: "It is removed a moment later.",
    },
    {
      line: "await syncDirectory(to);",
      mutation: "without await: syncDirectory(to)",
      reason: "The syncs after it take longer; only a power failure between them shows it.",
    },
    {
      line: "await using file = opened ?? (isPresent ? null : await openSource(ref));",
      mutation: "false for: isPresent",
      reason: "A file is opened in vain.",
    },
  ],
};
