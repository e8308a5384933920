import { expect, test } from "bun:test";
import { deletedStates, deletedStatesWith } from "../../src/backups/deleted-states.ts";

test("deleted states of a malformed id are not looked up: it may lead to those of another app", async () => {
  const lookedUp: string[] = [];
  const records = {
    async readDeleted(backupId: string) {
      lookedUp.push(backupId);
      return [];
    },
  };
  const wellFormed = `backup_account_02${"ab".repeat(32)}`;
  for (const backupId of [`app/other/${wellFormed}`, wellFormed.slice(1), "", wellFormed])
    expect(
      await Array.fromAsync(deletedStatesWith(records, backupId, { scope: "MAIN", key: "EC_KEYPAIR|key" })),
    ).toEqual([]);
  expect(lookedUp).toEqual([wellFormed]);
});

test("deleted states are read page after page, each once", async () => {
  const states = ["c", "b", "a"].map((deletionId, index) => ({
    deletionId,
    deletedAtMs: 3 - index,
    keepUntilMs: 9,
    deletedBy: null,
    logId: null,
    blob: { key: deletionId, size: 1, sha256: "00" },
    versions: [],
    metadata: {},
  }));
  const records = {
    async readDeleted(_backupId: string, after?: { readonly deletionId: string }) {
      const from = states.findIndex(({ deletionId }) => deletionId === after?.deletionId) + 1;
      return states.slice(from, from + 2);
    },
  };
  const read: string[] = [];
  for await (const { deletionId } of deletedStates(records, "b1")) {
    read.push(deletionId);
    if (read.length > states.length) break;
  }
  expect(read).toEqual(["c", "b", "a"]);
});
