import { expect, test } from "bun:test";
import { deletedStatesWith } from "../../src/backups/deleted-states.ts";

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
