/** The doctor and the service where records and blobs may be of two installations, or of two times. */
import { describe, expect, test } from "bun:test";
import { joinInstallation } from "../../src/maintenance/installation.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import { collect } from "../contract/fixture.ts";
import { DRIVERS } from "../drivers.ts";
import { newStores, storeBackup } from "../maintenance/doctor/examined-stores.ts";
import { mixedEnvironment } from "../support/mixed-storage.ts";
import { startService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { recovered, solved, userWithBackup } from "../support/users.ts";
import { runCommand } from "./run-command.ts";

const MINUTE_MS = 60_000;

for (const driver of DRIVERS)
  describe(`two installations on ${driver.name}`, () => {
    async function installation() {
      const stores = await newStores(driver.environment);
      await storeBackup(stores, "b1");
      await joinInstallation(stores, { clock: stores.clock, random: systemRandom });
      return stores;
    }

    test("are not mixed: the doctor refuses to examine the records of one with the blobs of the other", async () => {
      await using ours = await installation();
      await using theirs = await installation();
      const env = await mixedEnvironment(driver, { recordsOf: ours.storage, blobsOf: theirs.storage });
      for (const options of [[], ["--repair"], ["--restored"]]) {
        const { status, errors } = await runCommand("doctor", env, ...options);
        expect(status).toBe(2);
        expect(errors).toContain("the records belong to the installation ");
        expect(errors).toContain("must name the stores of one installation");
      }
      expect(await collect(theirs.blobs.list())).toHaveLength(1);
    });

    test("are not mixed: the service does not start on the records of one with the blobs of the other", async () => {
      await using ours = await installation();
      await using theirs = await installation();
      const env = await mixedEnvironment(driver, { recordsOf: ours.storage, blobsOf: theirs.storage });
      const mixed = { ...ours.storage, env };
      await expect(startService(driver, { storage: mixed })).rejects.toThrow(
        "must name the stores of one installation",
      );
      const child = Bun.spawn([process.execPath, "src/main.ts"], {
        cwd: `${import.meta.dir}/../..`,
        env: { PATH: process.env.PATH, APP_ENV: "development", PORT: "0", METRICS_PORT: "0", ...env },
        stdout: "ignore",
        stderr: "pipe",
      });
      expect(await new Response(child.stderr).text()).toStartWith(
        "Cannot start: the records belong to the installation ",
      );
      expect(await child.exited).toBe(1);
    });

    test("are not mixed where the records are new: the blobs of the other installation stay", async () => {
      await using theirs = await installation();
      await using fresh = await newStores(driver.environment);
      const env = await mixedEnvironment(driver, { recordsOf: fresh.storage, blobsOf: theirs.storage });
      const { status, errors } = await runCommand("doctor", env, "--repair");
      expect(status).toBe(2);
      expect(errors).toContain("the records have no mark");
      expect(await collect(theirs.blobs.list())).toHaveLength(1);
    });
  });

for (const driver of DRIVERS)
  describe(`the doctor's options on ${driver.name}`, () => {
    test("--restored, after which a service that starts refuses proofs from before, and keeps younger blobs", async () => {
      await using storage = await driver.environment();
      const clock = new SettableClock(Date.now() - MINUTE_MS); // the command has the time of the machine
      const before = await startService(driver, { storage, clock });
      const createdAtMs = clock.nowMs();
      const user = await userWithBackup(before.client);
      const proof = await solved(before.client, "retrieve", user.main);
      await before[Symbol.asyncDispose]();
      const declared = await runCommand("doctor", storage.env, "--restored");
      expect(declared).toMatchObject({ status: 0, errors: "" });

      clock.set(Date.now() + MINUTE_MS);
      await using service = await startService(driver, { storage, clock });
      expect((await service.client.retrieve(proof)).code()).toBe("jwt_error");
      expect((await recovered(service.client, user)).metadata.id).toBe(user.account.backupAccountId);
      expect(await service.services.restores()).toEqual([
        { copiedAtMs: createdAtMs, restoredAtMs: expect.any(Number) },
      ]);
    });

    test("--remove is for kinds that a repair leaves alone", async () => {
      await using storage = await driver.environment();
      for (const args of [
        ["--repair", "--remove", "blob-missing"],
        ["--remove", "blob-of-unknown-backup"],
        ["--repair", "--remove"],
      ]) {
        const { status, errors } = await runCommand("doctor", storage.env, ...args);
        expect(status).toBe(2);
        expect(errors).toContain("--remove");
      }
    });
  });
