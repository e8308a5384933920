import type { Explanations } from "./explanations.ts";

export const STORAGE_LOCAL_COPY: Explanations = {
  "src/storage/local/copy/mark.ts": [
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
      line: 'override name = "CopyRefused";',
      mutation: '"" for: "CopyRefused"',
      reason: "A name for people, in the log.",
    },
  ],
};
