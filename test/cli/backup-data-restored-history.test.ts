/** A copy has what an owner could get back, and a service on it gives it back. */
import { describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BlobRef, blobsOf } from "../../src/storage/contract.ts";
import { deletedOf } from "../contract/fixture.ts";
import { DRIVERS, type TestStorage } from "../drivers.ts";
import { created, newKeypair, proven, recoveredBy, undeletion } from "../support/factors.ts";
import { newLocalStorage } from "../support/local-storage.ts";
import { startService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { storedRecord } from "../support/stored.ts";
import { replacedContent, solved } from "../support/users.ts";
import { runCommand } from "./run-command.ts";

const local = DRIVERS.find((driver) => driver.name === "local");

if (local !== undefined)
  describe("a copy of versions, deleted backups and events", () => {
    test("is verified, repaired, examined and restored like that of contents", async () => {
      await using original = await newLocalStorage();
      const parent = await mkdtemp(join(tmpdir(), "backup-service-"));
      const target = join(parent, "copy");
      const clock = new SettableClock(Date.now());
      const copy: TestStorage = { ...original, env: { ...original.env, DATA_DIR: target } };
      const backUp = () => runCommand("backup-data", original.env, "--verify", target);

      const first = await startService(local, { storage: original, clock });
      const { client, services } = first;
      const before = await created(client, newKeypair());
      const { user, versionId } = await replacedContent(client, before);
      const { user: robbed } = await replacedContent(client, await created(client, newKeypair()));
      (await client.deleteBackup(await solved(client, "delete-backup", robbed.sync))).ok();
      expect(await backUp()).toMatchObject({ status: 0, errors: "" });

      const { versions } = await storedRecord(services, user.account.backupAccountId);
      const [kept] = await deletedOf(services.records, robbed.account.backupAccountId);
      const damaged: BlobRef[] = [
        ...versions.map(({ blob }) => blob),
        ...(kept === undefined ? [] : blobsOf(kept)),
      ];
      expect(damaged).toHaveLength(3);
      for (const { key, size } of damaged)
        await writeFile(join(target, "blobs", key.slice(0, 2), key), new Uint8Array(size));
      const examined = await runCommand("doctor", copy.env, "--verify");
      expect(examined.status).toBe(1);
      for (const { key } of damaged) expect(examined.output).toContain(key);
      const repaired = await backUp();
      expect(repaired.status).toBe(0);
      for (const { key } of damaged)
        expect(repaired.errors).toContain(`the blob ${key} was damaged in the copy and was copied again`);
      const sound = await runCommand("doctor", copy.env, "--verify");
      expect(sound).toMatchObject({ status: 0, errors: "" });
      expect(sound.output).toContain("1 deleted ones that are kept");
      expect(sound.output).toContain("Read 4 blobs");
      await first[Symbol.asyncDispose]();

      clock.advance(60_000);
      const second = await startService(local, { storage: copy, clock });
      const undeleted = (await undeletion(second.client, robbed)).ok();
      expect(undeleted.backupMetadata.syncFactors).toEqual([]);
      const recovered = await recoveredBy(second.client, robbed.main);
      expect(Buffer.from(recovered.backup, "base64")).toEqual(Buffer.from(robbed.backup));
      const proof = await proven(second.client, "retrieve", user.main);
      const earlier = (await second.client.retrieve({ ...proof, versionId })).ok();
      expect(Buffer.from(earlier.backup, "base64")).toEqual(Buffer.from(before.backup));
      const log = await second.client.listEvents(await solved(second.client, "events", user.sync));
      expect(log.ok().events.map(({ kind }) => kind)).toEqual(["RECOVERED", "CREATED"]);
      await second[Symbol.asyncDispose]();
      await rm(parent, { recursive: true });
    });
  });
