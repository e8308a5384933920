import { describe, expect, test } from "bun:test";
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

describe("the README", () => {
  const readme = Bun.file(`${import.meta.dir}/../../src/client/README.md`).text();
  const rows = async () =>
    [...(await readme).matchAll(/^\| `(\w+)\(.*?\)` \| `(\w+)` \|/gm)].map(([, ...names]) => names);

  test("has each method", async () => {
    const methods = Object.keys(client.createBackupClient({ url: "" }));
    expect((await rows()).map(([method]) => method).toSorted()).toEqual(methods.toSorted());
  });

  test("has each operation: with its method, or among those that have none", async () => {
    const called = (await rows()).map(([, operation = ""]) => operation);
    const [, sentence = ""] = /^(`\w+` has no method[\s\S]*?)\n\n/m.exec(await readme) ?? [];
    const others = [...sentence.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name);
    expect(others).toContain("addFactorChallenge");
    const named = new Set([...called, ...others.filter((name) => !called.includes(name))]);
    expect([...named].toSorted()).toEqual(Object.keys(operations).toSorted());
  });
});
