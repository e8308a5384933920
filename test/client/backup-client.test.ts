import { expect, test } from "bun:test";
import * as accountKeys from "../../src/client/account-key.ts";
import * as client from "../../src/client/index.ts";
import { DRIVERS } from "../drivers.ts";
import { startService } from "../support/service.ts";
import { expectedLife, live } from "./journey.ts";

for (const driver of DRIVERS)
  test(`an app creates, recovers, updates and brings back a backup (${driver.name})`, async () => {
    await using service = await startService(driver);
    const lived = await live(client, accountKeys, { url: service.url, withPasskey: false });
    expect(lived).toEqual(expectedLife("EC_KEYPAIR"));
  });
