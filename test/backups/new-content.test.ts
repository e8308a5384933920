import { describe, expect, test } from "bun:test";
import { setImmediate } from "node:timers/promises";
import { withNewBlob } from "../../src/backups/new-content.ts";
import { systemClock as clock } from "../../src/runtime/clock.ts";
import { type Conflict, NotCommitted, StorageUnavailable } from "../../src/storage/contract.ts";

const BLOB = { key: "blob", size: 1, sha256: "00" };

/** Writes content for a commit with this outcome, or for none, and returns what was discarded by the end. */
async function discardedAfter(outcome: "committed" | Conflict | Error | "no commit"): Promise<string[]> {
  const discarded: string[] = [];
  const records = {
    async commit(): Promise<"committed" | Conflict> {
      if (outcome instanceof Error) throw outcome;
      return outcome === "no commit" ? "committed" : outcome;
    },
  };
  const blobs = { put: async () => BLOB };
  const changes = {
    async discard() {
      await setImmediate(); // as a store
      discarded.push(BLOB.key);
    },
  };
  const context = { records, blobs, clock, changes };
  const written = withNewBlob(context, "b", { content: [], client: "" }, async (blob, commit) => {
    if (outcome === "no commit") throw new Error("refused before the commit");
    return commit({ backupId: "b", expect: "absent", next: { blob, metadata: {}, versions: [] } });
  });
  await written.catch(() => {});
  return discarded;
}

describe("new content", () => {
  test.each([
    ["is left alone where it was committed", "committed", []],
    ["is left alone where it may have been committed", new StorageUnavailable("no response"), []],
    ["has been deleted after a conflict", "exists", [BLOB.key]],
    ["has been deleted where it was certainly not committed", new NotCommitted("full"), [BLOB.key]],
    ["has been deleted where the operation failed before", "no commit", [BLOB.key]],
  ] as const)("%s", async (_name, outcome, discarded) => {
    expect(await discardedAfter(outcome)).toEqual([...discarded]);
  });
});
