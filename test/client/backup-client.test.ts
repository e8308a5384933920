import { expect, test } from "bun:test";
import * as accountKeys from "../../src/client/account-key.ts";
import * as client from "../../src/client/index.ts";
import { operations } from "../../src/protocol/operations.ts";
import { DRIVERS } from "../drivers.ts";
import { startService } from "../support/service.ts";
import { expectedLife, live } from "./journey.ts";

for (const driver of DRIVERS)
  test(`an app creates, recovers, updates and brings back a backup (${driver.name})`, async () => {
    await using service = await startService(driver);
    const lived = await live(client, accountKeys, { url: service.url, withPasskey: false });
    expect(lived).toEqual(expectedLife("EC_KEYPAIR"));
  });

test("the README has each method, with the operation that it calls", async () => {
  const readme = await Bun.file(`${import.meta.dir}/../../src/client/README.md`).text();
  const rows = [...readme.matchAll(/^\| `(\w+)\(.*?\)` \| `(\w+)` \|/gm)].map(([, ...names]) => names);
  const methods = Object.keys(client.createBackupClient({ url: "" }));
  expect(rows.map(([method]) => method).toSorted()).toEqual(methods.toSorted());
  expect(rows.map(([, operation = ""]) => operation).filter((name) => !(name in operations))).toEqual([]);
});
