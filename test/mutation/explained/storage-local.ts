import type { Explanations } from "./explanations.ts";

export const STORAGE_LOCAL: Explanations = {
  "src/storage/local/blobs.ts": [
    {
      line: "await syncDirectory(dataDir);",
      mutation: "without await: syncDirectory(dataDir)",
      reason: "Only a power failure shows it: test/durability.",
    },
    {
      line: "await syncDirectory(root);",
      mutation: "without await: syncDirectory(root)",
      reason: "Only a power failure shows it: test/durability.",
    },
    {
      line: "const content = await fileOperation(() => readIfThere(path, ref.size + 1));",
      mutation: "2 for: 1",
      reason: "Any byte too many shows that the file is too long.",
    },
    {
      line: "if (index % NAMES_AT_ONCE === 0) await nextTurn();",
      mutation: "without await: nextTurn()",
      reason: "A list blocks the event loop for longer: test/bench measures it.",
    },
    {
      line: "await fileOperation(() => file.sync());",
      mutation: "without await: fileOperation(() => file.sync())",
      reason: "Only a power failure shows it: test/durability.",
    },
    {
      line: "await fileOperation(() => file.close());",
      mutation: "without await: fileOperation(() => file.close())",
      reason: "It is closed a moment later.",
    },
    {
      line: "for (let read = -1; read !== 0 && length < maxBytes; length += read)",
      mutation: "without right of &&: read !== 0 && length < maxBytes",
      reason: "A read of no bytes ends it as well.",
    },
    {
      line: "if (found !== null && Date.now() - found.mtimeMs > TEMPORARY_MAX_AGE_MS) await removeIfThere(path);",
      mutation: "without await: removeIfThere(path)",
      reason: "It is removed a moment later.",
    },
    {
      line: "const NAMES_AT_ONCE = 500;",
      mutation: "501 for: 500",
      reason: "The same list; how long others wait is measured by test/bench.",
    },
    {
      line: "const TEMPORARY_MAX_AGE_MS = 60 * 60 * 1000;",
      mutation: "61 for: 60",
      reason: "About an hour: no write takes so long.",
    },
    {
      line: "const TEMPORARY_MAX_AGE_MS = 60 * 60 * 1000;",
      mutation: "1001 for: 1000",
      reason: "About an hour: no write takes so long.",
    },
    {
      line: "await syncDirectory(dataDir);",
      mutation: "removed: await syncDirectory(dataDir);",
      reason: "Only a power failure shows it: test/durability.",
    },
    {
      line: "await syncDirectory(root);",
      mutation: "removed: await syncDirectory(root);",
      reason: "Only a power failure shows it: test/durability.",
    },
    {
      line: "if (ref.size <= SMALL_BYTES) {",
      mutation: "< for <=: ref.size <= SMALL_BYTES",
      reason: "The same bytes, with other calls: test/bench measures it.",
    },
    {
      line: "return file && streamFrom(verified(ref, readContent(file, ref.size + 1)), () => file.close());",
      mutation: "2 for: 1",
      reason: "Any byte too many shows that the file is too long.",
    },
    {
      line: "if (index % NAMES_AT_ONCE === 0) await nextTurn();",
      mutation: "true for: index % NAMES_AT_ONCE === 0",
      reason: "The same list; how long others wait is measured by test/bench.",
    },
    {
      line: "if (index % NAMES_AT_ONCE === 0) await nextTurn();",
      mutation: "false for: index % NAMES_AT_ONCE === 0",
      reason: "The same list; how long others wait is measured by test/bench.",
    },
    {
      line: "if (index % NAMES_AT_ONCE === 0) await nextTurn();",
      mutation: "* for %: index % NAMES_AT_ONCE",
      reason: "The same list; how long others wait is measured by test/bench.",
    },
    {
      line: "if (index % NAMES_AT_ONCE === 0) await nextTurn();",
      mutation: "1 for: 0",
      reason: "The same list; how long others wait is measured by test/bench.",
    },
    {
      line: "if (index % NAMES_AT_ONCE === 0) await nextTurn();",
      mutation: "removed: await nextTurn();",
      reason: "The same list; how long others wait is measured by test/bench.",
    },
    {
      line: "if (!isBlobKey(key)) throw new Error(`not a blob key: ${key.slice(0, 50)}`);",
      mutation: "51 for: 50",
      reason: "It is how much of a name a message shows.",
    },
    {
      line: "(size) => size <= SMALL_BYTES,",
      mutation: "< for <=: size <= SMALL_BYTES",
      reason: "The same file, with other calls: test/bench measures it.",
    },
    {
      line: 'await fileOperation(() => writeFile(path, bytes, { flag: "wx", mode: 0o600, flush: true }));',
      mutation: "false for: true",
      reason: "Only a power failure shows it: test/durability.",
    },
    {
      line: "await fileOperation(() => file.sync());",
      mutation: "removed: await fileOperation(() => file.sync());",
      reason: "Only a power failure shows it: test/durability.",
    },
    {
      line: "for (let read = -1; read !== 0 && length < maxBytes; length += read)",
      mutation: "2 for: 1",
      reason: "It has to be any number but 0.",
    },
    {
      line: "for (let read = -1; read !== 0 && length < maxBytes; length += read)",
      mutation: "<= for <: length < maxBytes",
      reason: "A read of no bytes ends it as well.",
    },
    {
      line: "if (found !== null && Date.now() - found.mtimeMs > TEMPORARY_MAX_AGE_MS) await removeIfThere(path);",
      mutation: ">= for >: Date.now() - found.mtimeMs > TEMPORARY_MAX_AGE_MS",
      reason: "About an hour: no write takes so long.",
    },
    {
      line: "if (!isBlobKey(key)) throw new Error(`not a blob key: ${key.slice(0, 50)}`);",
      mutation: "1 for: 0",
      reason: "It is how much of a name a message shows.",
    },
  ],
  "src/storage/local/collection.ts": [
    { line: "const LIST_PAGE = 500;", mutation: "501 for: 500", reason: "The same list, in other pages." },
    {
      line: "const logIds = logId === null ? [] : [logId];",
      mutation: "false for: logId === null",
      reason: "No log has that id.",
    },
    {
      line: 'for (let last = ""; ; await nextTurn()) {',
      mutation: "without await: nextTurn()",
      reason: "The same list; how long others wait is measured by test/bench.",
    },
  ],
  "src/storage/local/database.ts": [
    {
      line: "const database = new Database(path, { readwrite: true, strict: true });",
      mutation: "false for: true",
      reason: "It only makes a mistake in a query of ours an error.",
    },
    {
      line: 'database.run("PRAGMA synchronous = FULL"); // NORMAL may lose the last commits at power loss',
      mutation: 'removed: database.run("PRAGMA synchronous = FULL");',
      reason: "Only a power failure shows it: test/durability.",
    },
    {
      line: "database.run(`PRAGMA busy_timeout = ${BUSY_PAUSE_MS}`); // from here on GroupCommit waits",
      mutation: "removed: database.run(`PRAGMA busy_timeout = ${BUSY_PAUSE_MS}`);",
      reason: "It is how long SQLite itself waits, which blocks other work: test/bench measures it.",
    },
  ],
  "src/storage/local/deleted-states.ts": [
    {
      line: 'for (let last = { backupId: "", deletedAtMs: 0, deletionId: "" }; ; await nextTurn()) {',
      mutation: "without await: nextTurn()",
      reason: "The same rows; how long others wait is measured by test/bench.",
    },
    {
      line: 'for (let last = { backupId: "", deletedAtMs: 0, deletionId: "" }; ; await nextTurn()) {',
      mutation: '"mutant" for: ""',
      reason: "The first place: every backup and deletion comes after it.",
    },
    { line: "const READ_PAGE = 20;", mutation: "21 for: 20", reason: "The same states, in other pages." },
    { line: "const LIST_PAGE = 500;", mutation: "501 for: 500", reason: "The same list, in other pages." },
    {
      line: "(bringBack !== undefined && (untilMs(bringBack) ?? 0) <= nowMs) ||",
      mutation: "1 for: 0",
      reason: "No clock is at the first millisecond of 1970.",
    },
    {
      line: 'const { deletedAtMs, deletionId } = after ?? { deletedAtMs: Number.MAX_SAFE_INTEGER, deletionId: "" };',
      mutation: '"mutant" for: ""',
      reason: "No state is of the last time that there is.",
    },
    {
      line: 'for (let last = { backupId: "", deletedAtMs: 0, deletionId: "" }; ; await nextTurn()) {',
      mutation: "1 for: 0",
      reason: "No backup has the empty id.",
    },
  ],
  "src/storage/local/events.ts": [
    {
      line: ".all({ logId, before: page.before ?? END, nowMs, limit: page.limit + 1 });",
      mutation: "2 for: 1",
      reason: "Any row too many shows that there are more.",
    },
    {
      line: "return { events, next: rows.length > page.limit ? (events.at(-1)?.id ?? null) : null };",
      mutation: "without right of ??: events.at(-1)?.id ?? null",
      reason: "A page that is not the last has an event; the types do not know that.",
    },
  ],
  "src/storage/local/foreign-log.ts": [
    {
      line: "const VERSIONS_AT = 18;",
      mutation: "19 for: 18",
      reason: "SQLite writes the same number to both places.",
    },
    {
      line: 'override name = "ForeignLog";',
      mutation: '"" for: "ForeignLog"',
      reason: "A name for people, in the log.",
    },
    {
      line: 'readonly code = "FOREIGN_LOG";',
      mutation: '"" for: "FOREIGN_LOG"',
      reason: "It tells people apart what the message says.",
    },
    {
      line: "if ((await hasLog(dataDir)) && (await isWithoutLog(path)) && (await hasLog(dataDir)))",
      mutation:
        "without right of &&: (await hasLog(dataDir)) && (await isWithoutLog(path)) && (await hasLog(dataDir))",
      reason: "The second check is for another process that removes its log between the two.",
    },
    {
      line: "if ((await hasLog(dataDir)) && (await isWithoutLog(path)) && (await hasLog(dataDir)))",
      mutation: "without left of &&: (await hasLog(dataDir)) && (await isWithoutLog(path))",
      reason: "The second check is for another process that removes its log between the two.",
    },
    {
      line: "return ((await orNullIfMissing(stat(join(dataDir, `${DATABASE}-wal`))))?.size ?? 0) > 0;",
      mutation: "1 for: 0",
      reason: "Nothing is not above 0, and no log has a single byte.",
    },
    {
      line: "const found = await file?.read(new Uint8Array(2), 0, 2, VERSIONS_AT);",
      mutation: "3 for: 2",
      reason: "Bytes that are not in the file are 0.",
    },
    {
      line: 'const [database, log, index] = ["", "-wal", "-shm"].map((suffix) => `${DATABASE}${suffix}`);',
      mutation: '"mutant" for: ""',
      reason: "A message for people.",
    },
  ],
  "src/storage/local/group-commit.ts": [
    {
      line: "export const BUSY_PAUSE_MS = 5;",
      mutation: "6 for: 5",
      reason: "Some milliseconds between attempts, of which none is promised.",
    },
    {
      line: "const MAX_LINGER_ITERATIONS = 6;",
      mutation: "7 for: 6",
      reason: "How long a write waits for others to share its sync is measured by test/bench.",
    },
    {
      line: "const LINGER_MS = 1;",
      mutation: "2 for: 1",
      reason: "How long a write waits for others to share its sync is measured by test/bench.",
    },
    {
      line: "if (iterations > 1 && performance.now() - sinceMs < this.#lingerMs)",
      mutation: "without right of &&: iterations > 1 && performance.now() - sinceMs < this.#lingerMs",
      reason: "How long a write waits for others to share its sync is measured by test/bench.",
    },
    {
      line: "if (iterations > 1 && performance.now() - sinceMs < this.#lingerMs)",
      mutation: ">= for >: iterations > 1",
      reason: "How long a write waits for others to share its sync is measured by test/bench.",
    },
    {
      line: "if (iterations > 1 && performance.now() - sinceMs < this.#lingerMs)",
      mutation: "2 for: 1",
      reason: "How long a write waits for others to share its sync is measured by test/bench.",
    },
    {
      line: "if (iterations > 1 && performance.now() - sinceMs < this.#lingerMs)",
      mutation: "<= for <: performance.now() - sinceMs < this.#lingerMs",
      reason: "How long a write waits for others to share its sync is measured by test/bench.",
    },
    {
      line: "if (iterations > 1 && performance.now() - sinceMs < this.#lingerMs)",
      mutation: "+ for -: performance.now() - sinceMs",
      reason: "How long a write waits for others to share its sync is measured by test/bench.",
    },
    {
      line: "this.#linger(iterations - 1, sinceMs);",
      mutation: "2 for: 1",
      reason: "How long a write waits for others to share its sync is measured by test/bench.",
    },
    {
      line: "if (group.length > 0) this.#make(group, performance.now());",
      mutation: "true for: group.length > 0",
      reason: "A transaction without a write changes nothing, and its failure is nobody's.",
    },
    {
      line: "if (group.length > 0) this.#make(group, performance.now());",
      mutation: ">= for >: group.length > 0",
      reason: "A transaction without a write changes nothing, and its failure is nobody's.",
    },
  ],
  "src/storage/local/inspection.ts": [
    { line: "const LIST_PAGE = 500;", mutation: "501 for: 500", reason: "The same list, in other pages." },
    {
      line: "const SWEEP_BATCH = 1_000;",
      mutation: "1001 for: 1_000",
      reason: "The same rows are deleted, in other batches.",
    },
    {
      line: "await nextTurn();",
      mutation: "removed: await nextTurn();",
      reason: "The same rows; how long others wait is measured by test/bench.",
    },
    {
      line: "await nextTurn();",
      mutation: "without await: nextTurn()",
      reason: "The same rows; how long others wait is measured by test/bench.",
    },
    {
      line: "db.select({ rows: count() }).from(table).where(lte(table.expiresAtMs, nowMs)).get()?.rows ?? 0;",
      mutation: "1 for: 0",
      reason: "A count has a row; the types do not know that.",
    },
  ],
  "src/storage/local/installation-file.ts": [
    {
      line: 'await writeFile(temporary, `${id}\\n`, { flag: "wx", mode: 0o600, flush: true });',
      mutation: '"" for: "wx"',
      reason: "No file has the new name.",
    },
    {
      line: 'await writeFile(temporary, `${nowMs}\\n`, { flag: "wx", mode: 0o600, flush: true });',
      mutation: '"" for: "wx"',
      reason: "No file has the new name.",
    },
    {
      line: 'await writeFile(temporary, `${id}\\n`, { flag: "wx", mode: 0o600, flush: true });',
      mutation: 'without await: writeFile(temporary, `${id}\\n`, { flag: "wx", mode: 0o600, flush: true })',
      reason: "Only a power failure or a slower disk shows it: test/durability.",
    },
    {
      line: 'await writeFile(temporary, `${id}\\n`, { flag: "wx", mode: 0o600, flush: true });',
      mutation: "false for: true",
      reason: "Only a power failure or a slower disk shows it: test/durability.",
    },
    {
      line: 'await writeFile(temporary, `${nowMs}\\n`, { flag: "wx", mode: 0o600, flush: true });',
      mutation:
        'without await: writeFile(temporary, `${nowMs}\\n`, { flag: "wx", mode: 0o600, flush: true })',
      reason: "Only a power failure or a slower disk shows it: test/durability.",
    },
    {
      line: 'await writeFile(temporary, `${nowMs}\\n`, { flag: "wx", mode: 0o600, flush: true });',
      mutation: "false for: true",
      reason: "Only a power failure or a slower disk shows it: test/durability.",
    },
    {
      line: "await unlink(temporary);",
      mutation: "without await: unlink(temporary)",
      reason: "It is removed a moment later.",
    },
    {
      line: "await syncDirectory(root);",
      mutation: "removed: await syncDirectory(root);",
      reason: "Only a power failure shows it: test/durability.",
    },
    {
      line: "await syncDirectory(root);",
      mutation: "without await: syncDirectory(root)",
      reason: "Only a power failure shows it: test/durability.",
    },
    {
      line: "await rename(temporary, join(root, LAST_SEEN));",
      mutation: "without await: rename(temporary, join(root, LAST_SEEN))",
      reason: "It is renamed a moment later.",
    },
  ],
  "src/storage/local/marks.ts": [
    {
      line: "if ((lastSeenMsOf(database) ?? 0) < nowMs)",
      mutation: "<= for <: (lastSeenMsOf(database) ?? 0) < nowMs",
      reason: "The same time is written again, and no clock is at the first milliseconds of 1970.",
    },
    {
      line: "if ((lastSeenMsOf(database) ?? 0) < nowMs)",
      mutation: "1 for: 0",
      reason: "The same time is written again, and no clock is at the first milliseconds of 1970.",
    },
    {
      line: "return Number(markOf(database, NEXT_SHARE) ?? 0);",
      mutation: "without right of ??: markOf(database, NEXT_SHARE) ?? 0",
      reason: "Nothing is 0 as a number.",
    },
    {
      line: "return Number(markOf(database, NEXT_SHARE) ?? 0);",
      mutation: "1 for: 0",
      reason: "Any share may be the first; all have their turn.",
    },
    {
      line: "if (copiedAtMsOf(database) === null) return;",
      mutation: "false for: copiedAtMsOf(database) === null",
      reason: "It saves the transaction, which decides the same.",
    },
  ],
  "src/storage/local/migrations.ts": [
    {
      line: 'return database.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;',
      mutation: "1 for: 0",
      reason: "The pragma has a row; the types do not know that.",
    },
  ],
  "src/storage/local/one-time.ts": [
    {
      line: "if (row === undefined || row.backupId === null || row.holder === null) return null;",
      mutation: "without right of ||: row === undefined || row.backupId === null || row.holder === null",
      reason: "A token has both members and a nonce none; the types do not know that.",
    },
    {
      line: "if (row === undefined || row.backupId === null || row.holder === null) return null;",
      mutation: "without right of ||: row === undefined || row.backupId === null",
      reason: "A token has both members and a nonce none; the types do not know that.",
    },
  ],
  "src/storage/local/outbox.ts": [
    {
      line: "const MAX_COUNTED = 10_000;",
      mutation: "10001 for: 10_000",
      reason: "Up to how many are counted, which is not promised.",
    },
    {
      line: "return { waiting: counted?.waiting ?? 0, oldestMs: oldest?.atMs ?? null };",
      mutation: "1 for: 0",
      reason: "A count has a row; the types do not know that.",
    },
  ],
  "src/storage/local/records.ts": [
    {
      line: "const BUSY_TIMEOUT_MS = 5_000;",
      mutation: "5001 for: 5_000",
      reason: "Some seconds, of which the documentation of the option alone is exact.",
    },
    {
      line: "this.#db.insert(counters).values({ id, total: 0, expiresAtMs: 0 }).run();",
      mutation: "1 for: 0",
      reason: "The row is deleted in the same transaction.",
    },
    {
      line: 'query(() => this.#statements.read().get({ backupId: "" }));',
      mutation: '"mutant" for: ""',
      reason: "No backup has that id either.",
    },
  ],
  "src/storage/local/outage.ts": [
    { line: 'return "";', mutation: '"mutant" for: ""', reason: "It is no code of SQLite either." },
  ],
};
