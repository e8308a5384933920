import type { Explanations } from "./explanations.ts";

export const STORAGE: Explanations = {
  "src/storage/content-file.ts": [
    {
      line: "if (this.#size > 0) await yieldToEventLoop();",
      mutation: "true for: this.#size > 0",
      reason: "The same bytes; how long others wait is measured by test/bench.",
    },
    {
      line: "if (this.#size > 0) await yieldToEventLoop();",
      mutation: "false for: this.#size > 0",
      reason: "The same bytes; how long others wait is measured by test/bench.",
    },
    {
      line: "if (this.#size > 0) await yieldToEventLoop();",
      mutation: "1 for: 0",
      reason: "The same bytes; how long others wait is measured by test/bench.",
    },
    {
      line: "if (this.#size > 0) await yieldToEventLoop();",
      mutation: ">= for >: this.#size > 0",
      reason: "The same bytes; how long others wait is measured by test/bench.",
    },
    {
      line: "if (this.#size > 0) await yieldToEventLoop();",
      mutation: "removed: await yieldToEventLoop();",
      reason: "The same bytes; how long others wait is measured by test/bench.",
    },
    {
      line: "if (this.#size > 0) await yieldToEventLoop();",
      mutation: "without await: yieldToEventLoop()",
      reason: "The same bytes; how long others wait is measured by test/bench.",
    },
    {
      line: "for (let position = 0; position < maxBytes; ) {",
      mutation: "<= for <: position < maxBytes",
      reason: "A read of no bytes ends it as well.",
    },
    {
      line: "if (position > 0) await yieldToEventLoop();",
      mutation: "true for: position > 0",
      reason: "The same bytes; how long others wait is measured by test/bench.",
    },
    {
      line: "if (position > 0) await yieldToEventLoop();",
      mutation: "false for: position > 0",
      reason: "The same bytes; how long others wait is measured by test/bench.",
    },
    {
      line: "if (position > 0) await yieldToEventLoop();",
      mutation: ">= for >: position > 0",
      reason: "The same bytes; how long others wait is measured by test/bench.",
    },
    {
      line: "if (position > 0) await yieldToEventLoop();",
      mutation: "1 for: 0",
      reason: "The same bytes; how long others wait is measured by test/bench.",
    },
    {
      line: "if (position > 0) await yieldToEventLoop();",
      mutation: "removed: await yieldToEventLoop();",
      reason: "The same bytes; how long others wait is measured by test/bench.",
    },
    {
      line: "if (position > 0) await yieldToEventLoop();",
      mutation: "without await: yieldToEventLoop()",
      reason: "The same bytes; how long others wait is measured by test/bench.",
    },
    {
      line: "if (chunk.length > PIECE_BYTES)",
      mutation: ">= for >: chunk.length > PIECE_BYTES",
      reason: "A chunk of the size of a piece is one piece either way.",
    },
  ],
  "src/storage/contract.ts": [
    {
      line: "export const MAX_EVENTS = 1_000;",
      mutation: "1001 for: 1_000",
      reason: "Drivers and tests have this number from here.",
    },
    {
      line: "export const MAX_FORGOTTEN = 40;",
      mutation: "41 for: 40",
      reason: "Drivers and tests have this number from here, and a transaction has room for more.",
    },
  ],
  "src/storage/errors.ts": [
    {
      line: 'override name = "StorageUnavailable";',
      mutation: '"" for: "StorageUnavailable"',
      reason: "A name for people, in the log.",
    },
    {
      line: 'this.name = "NewerFormat";',
      mutation: 'removed: this.name = "NewerFormat";',
      reason: "A name for people, in the log.",
    },
    {
      line: 'this.name = "NewerFormat";',
      mutation: '"" for: "NewerFormat"',
      reason: "A name for people, in the log.",
    },
    {
      line: 'override name = "NotCommitted";',
      mutation: '"" for: "NotCommitted"',
      reason: "A name for people, in the log.",
    },
    {
      line: 'override name = "ChangeRefused";',
      mutation: '"" for: "ChangeRefused"',
      reason: "A name for people, in the log.",
    },
    {
      line: 'override name = "BlobDamaged";',
      mutation: '"" for: "BlobDamaged"',
      reason: "A name for people, in the log.",
    },
  ],
  "src/storage/late-changes.ts": [
    {
      line: "export const NEW_BLOB_MAX_AGE_MS = 10 * 60 * 1000;",
      mutation: "11 for: 10",
      reason: "Some minutes, far from the hour after which a ciphertext is deleted.",
    },
    {
      line: "export const NEW_BLOB_MAX_AGE_MS = 10 * 60 * 1000;",
      mutation: "61 for: 60",
      reason: "Some minutes, far from the hour after which a ciphertext is deleted.",
    },
    {
      line: "export const NEW_BLOB_MAX_AGE_MS = 10 * 60 * 1000;",
      mutation: "1001 for: 1000",
      reason: "Some minutes, far from the hour after which a ciphertext is deleted.",
    },
  ],
  "src/storage/open.ts": [
    {
      line: "const READ_THROUGH_RETRY = { budgetMs: 6_000, attemptMs: 4_000, maxPauseMs: 1_000 };",
      mutation: "6001 for: 6_000",
      reason: "Some seconds, of which none is promised.",
    },
    {
      line: "const READ_THROUGH_RETRY = { budgetMs: 6_000, attemptMs: 4_000, maxPauseMs: 1_000 };",
      mutation: "4001 for: 4_000",
      reason: "Some seconds, of which none is promised.",
    },
    {
      line: "const READ_THROUGH_RETRY = { budgetMs: 6_000, attemptMs: 4_000, maxPauseMs: 1_000 };",
      mutation: "1001 for: 1_000",
      reason: "Some seconds, of which none is promised.",
    },
  ],
  "src/storage/small-content.ts": [
    {
      line: "await chunks.return?.(); // content that was not read to its end may keep a connection",
      mutation: "without await: chunks.return?.()",
      reason: "What is closed is closed a moment later.",
    },
    {
      line: "if (next.value.length > 0) buffered.push(next.value);",
      mutation: "true for: next.value.length > 0",
      reason: "A piece without a byte changes no content.",
    },
    {
      line: "if (next.value.length > 0) buffered.push(next.value);",
      mutation: ">= for >: next.value.length > 0",
      reason: "A piece without a byte changes no content.",
    },
  ],
  "src/storage/verified-content.ts": [
    {
      line: "if (piece !== chunk) await yieldToEventLoop(); // hashing a large chunk must not block other work",
      mutation: "true for: piece !== chunk",
      reason: "The same bytes; how long others wait is measured by test/bench.",
    },
    {
      line: "await close();",
      mutation: "without await: close()",
      reason: "What is closed is closed a moment later.",
    },
    {
      line: "await close();",
      mutation: "without await: close()",
      reason: "What is closed is closed a moment later.",
    },
  ],
  "src/storage/legacy.ts": [
    {
      line: 'this.name = "LegacyNoText";',
      mutation: '"" for: "LegacyNoText"',
      reason: "A name for people, in the log.",
    },
    {
      line: 'this.name = "LegacyNoText";',
      mutation: 'removed: this.name = "LegacyNoText";',
      reason: "A name for people, in the log.",
    },
    {
      line: 'this.name = "LegacyArchived";',
      mutation: '"" for: "LegacyArchived"',
      reason: "A name for people, in the log.",
    },
    {
      line: 'this.name = "LegacyArchived";',
      mutation: 'removed: this.name = "LegacyArchived";',
      reason: "A name for people, in the log.",
    },
    {
      line: 'this.name = "LegacyTooLarge";',
      mutation: '"" for: "LegacyTooLarge"',
      reason: "A name for people, in the log.",
    },
    {
      line: 'this.name = "LegacyTooLarge";',
      mutation: 'removed: this.name = "LegacyTooLarge";',
      reason: "A name for people, in the log.",
    },
    {
      line: "export const MAX_LEGACY_BYTES = 32 * 2 ** 20;",
      mutation: "21 for: 20",
      reason: "Far more than either service accepts; readers and tests have this number from here.",
    },
    {
      line: "export const MAX_LEGACY_BYTES = 32 * 2 ** 20;",
      mutation: "3 for: 2",
      reason: "Far more than either service accepts; readers and tests have this number from here.",
    },
    {
      line: "export const MAX_LEGACY_BYTES = 32 * 2 ** 20;",
      mutation: "33 for: 32",
      reason: "Far more than either service accepts; readers and tests have this number from here.",
    },
  ],
};
