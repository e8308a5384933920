import { describe, expect, test } from "bun:test";
import * as accountKeys from "../../src/client/account-key.ts";
import * as client from "../../src/client/index.ts";
import { namedOperations } from "../../src/protocol/named-operations.ts";
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
  const documented = async () =>
    [...(await readme).matchAll(/^\| `(\w+)\(.*?\)` \|/gm)].map(([, method = ""]) => method);
  const methods = Object.keys(client.createBackupClient({ url: "" }));

  test("has each method", async () => {
    expect((await documented()).toSorted()).toEqual(methods.toSorted());
  });

  test("has each operation of the API reference: as a method, or among those that have none", async () => {
    const [, sentence = ""] = /^(The operation `\w+` has no method[\s\S]*?)\n\n/m.exec(await readme) ?? [];
    const others = [...sentence.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name);
    expect(others).toContain("addFactorChallenge");
    const operations = namedOperations
      .map(({ name }) => name)
      .filter((name) => !/(Keypair|Passkey)Challenge$/.test(name));
    expect([...new Set([...(await documented()), ...others])].toSorted()).toEqual(operations.toSorted());
  });
});
