import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { readChapter } from "../../../src/http/reference/guide/page.ts";
import { operations } from "../../../src/protocol/operations.ts";
import { DRIVERS } from "../../drivers.ts";
import { createFactorKeypair } from "../../support/factor-keypair.ts";
import { created, newKeypair, proven } from "../../support/factors.ts";
import { sharedService } from "../../support/shared-service.ts";
import {
  addSyncFactorRequest,
  createPayload,
  metadataOf,
  newUser,
  recovered,
  resetRequest,
  solved,
  userWithBackup,
} from "../../support/users.ts";

const [driver] = DRIVERS; // what the drivers have to agree on is in test/contract
if (driver === undefined) throw new Error("no driver");

describe("the guide on lost responses", () => {
  const service = sharedService(driver);

  test("has every operation", async () => {
    const listed = [...(await readChapter("lost-responses.md")).matchAll(/^\| `(\/v1\/[^`]+)` \|/gm)];
    const paths = Object.values(operations).map(({ path }) => path);
    const called = paths.filter((path) => path.startsWith("/v1/") && !/\/challenge(\/|$)/.test(path));
    expect(listed.map(([, path = ""]) => path).toSorted()).toEqual(called.toSorted());
  });

  test("is right about a create", async () => {
    const { client } = service();
    const user = newUser();
    const metadata = async () =>
      client.retrieveMetadata(await solved(client, "retrieve-metadata", user.sync));
    expect((await metadata()).code()).toBe("backup_untraceable");
    const payload = await createPayload(client, user);
    (await client.create(payload, user.backup)).ok();
    expect((await client.create(payload, user.backup)).code()).toBe("already_used");
    expect((await metadata()).ok().id).toBe(user.account.backupAccountId);
  });

  test("is right about a device that joins", async () => {
    const { client } = service();
    const user = await userWithBackup(client);
    const { syncFactorToken } = await recovered(client, user);
    const sync = createFactorKeypair();
    const request = await addSyncFactorRequest(client, sync, syncFactorToken);
    (await client.addSyncFactor(request)).ok();
    expect((await client.addSyncFactor(request)).code()).toBe("already_used");
    expect((await metadataOf(client, { sync })).syncFactors).toHaveLength(2);
  });

  test("is right about a deletion, for 15 minutes and afterwards", async () => {
    const { client, clock } = service();
    const { sync } = await userWithBackup(client);
    const again = async () => client.deleteBackup(await solved(client, "delete-backup", sync));
    (await again()).ok();
    (await again()).ok();
    clock.advance(16 * 60_000);
    expect((await again()).code()).toBe("backup_untraceable");
  });

  test("is right about an undelete", async () => {
    const { client } = service();
    const user = await created(client, newKeypair());
    (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
    const { backupAccountId: backupId } = user.account;
    const request = { ...(await proven(client, "undelete", user.main, { backupId })), backupId };
    (await client.undelete(request)).ok();
    expect((await client.undelete(request)).code()).toBe("already_used");
    (await client.verifyFactor(await proven(client, "verify-factor", user.main))).ok();
  });

  test("is right about a reset", async () => {
    const { client } = service();
    const user = await userWithBackup(client);
    const request = await resetRequest(client, user);
    (await client.reset(request)).ok();
    expect((await client.reset(request)).code()).toBe("already_used");
    expect((await client.reset(await resetRequest(client, user))).code()).toBe("not_found");
  });
});

describe("the guide on changes of the API", () => {
  test("names what the changelog names", async () => {
    const changelog = await Bun.file(join(import.meta.dir, "../../../CHANGELOG.md")).text();
    const cells = [...(await readChapter("api-versions.md")).matchAll(/^\| (.*?) \|/gm)].map(
      ([, cell = ""]) => cell,
    );
    const names = cells.flatMap((cell) => [...cell.matchAll(/`[^`]+`/g)].map(([name]) => name));
    expect(names.length).toBeGreaterThan(5);
    expect(names.filter((name) => !changelog.includes(name))).toEqual([]);
  });
});
