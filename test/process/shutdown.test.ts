import { describe, expect, test } from "bun:test";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { DRIVERS } from "../drivers.ts";
import { createApiClient } from "../support/api-client.ts";
import { beginUpload } from "../support/begun-upload.ts";
import { TEST_CHALLENGE_TOKEN_KEYS } from "../support/service.ts";
import { type ServiceProcess, startProcess } from "../support/service-process.ts";
import { newUser, randomBytes, recovered, userWithBackup } from "../support/users.ts";

for (const driver of DRIVERS)
  describe(`a process that gets a signal to end (${driver.name})`, () => {
    for (const [name, signal, byScript] of [
      ["by SIGTERM", "SIGTERM", false],
      ["by SIGINT", "SIGINT", false],
      ["by a SIGTERM to it and to `bun run start`, which forwards it", "SIGTERM", true],
    ] as const)
      test(`${name} finishes the running request, and exits with 0`, async () => {
        await using storage = await driver.environment();
        const env = { ...ENV, ...storage.env };
        const user = newUser(randomBytes(100_000));
        {
          await using service = await startProcess(env, { byScript });
          using upload = await beginUpload(service.url, user);
          service.signal(signal);
          const line = await shutdownLine(service);
          expect(line).toMatch(
            /waiting for 1 to finish; a second signal \(Ctrl-C\) .* ends the process at once/,
          );
          await expect(fetch(`${service.url}/health`, { keepalive: false })).rejects.toThrow();
          expect((await upload.finish()).status).toBe(200);
          expect(await service.exited).toBe(0);
          expect(service.lines.at(-1)).toContain("stopped");
        }
        await using again = await startProcess(env);
        const { backup } = await recovered(createApiClient({ url: again.url }), user);
        expect(Buffer.from(backup, "base64").equals(user.backup)).toBe(true);
      });

    test("serves as before for the configured time, but is not ready", async () => {
      await using storage = await driver.environment();
      const env = { ...ENV, SHUTDOWN_DRAIN_SECONDS: "600", ...storage.env };
      const client = (service: ServiceProcess) => createApiClient({ url: service.url });
      const status = async (service: ServiceProcess, path: string) =>
        (await fetch(`${service.url}${path}`)).status;
      await using service = await startProcess(env);
      const before = await fetch(`${service.url}/ready`);
      expect(before.status).toBe(200);
      expect(before.headers.get("connection")).not.toBe("close");
      service.signal("SIGTERM");
      await shutdownLine(service);
      expect(await status(service, "/ready")).toBe(503);
      const user = await userWithBackup(client(service));
      expect((await recovered(client(service), user)).metadata.id).toBe(user.account.backupAccountId);
      const health = await fetch(`${service.url}/health`);
      expect([health.status, health.headers.get("connection")]).toEqual([200, "close"]);
      expect(await status(service, "/ready")).toBe(503);
      await Bun.sleep(1_500); // so that the second signal counts as another one
      service.signal("SIGTERM");
      expect(await service.exited).toBe(1);
    });

    test("closes its port when the configured time is over", async () => {
      await using storage = await driver.environment();
      await using service = await startProcess({ ...ENV, SHUTDOWN_DRAIN_SECONDS: "1", ...storage.env });
      const sentMs = performance.now();
      service.signal("SIGTERM");
      expect(await service.exited).toBe(0);
      expect(performance.now() - sentMs).toBeGreaterThan(999);
      expect(service.lines.at(-1)).toContain("stopped");
    });

    test("ends at once on a second signal, unless both come together", async () => {
      await using storage = await driver.environment();
      await using service = await startProcess({ ...ENV, ...storage.env });
      using _upload = await beginUpload(service.url, newUser(randomBytes(100_000)));
      // however busy the machine is, the process gets both at once
      process.kill(service.pid, "SIGSTOP");
      service.signal("SIGTERM");
      service.signal("SIGINT"); // two of one kind would be one to it
      process.kill(service.pid, "SIGCONT");
      await shutdownLine(service);
      expect(await Promise.race([service.exited, Bun.sleep(1_500).then(() => "it goes on")])).toBe(
        "it goes on",
      );
      service.signal("SIGTERM");
      expect(await service.exited).toBe(1);
    });

    test("records that it was in service until then, so that older records are recognised", async () => {
      await using storage = await driver.environment();
      await using service = await startProcess({ ...ENV, ...storage.env });
      const sentMs = Date.now();
      service.signal("SIGTERM");
      expect(await service.exited).toBe(0);
      await using stores = await storage.open({ clock: systemClock, random: systemRandom });
      for (const store of [stores.records, stores.blobs])
        expect(await store.lastSeenMs()).toBeGreaterThanOrEqual(sentMs);
    });

    test("without a running request ends at once", async () => {
      await using storage = await driver.environment();
      await using service = await startProcess({ ...ENV, ...storage.env });
      service.signal("SIGTERM");
      expect(await service.exited).toBe(0);
      expect(await shutdownLine(service)).not.toContain("waiting");
    });
  });

const ENV = { APP_ENV: "development", CHALLENGE_TOKEN_KEYS: TEST_CHALLENGE_TOKEN_KEYS };

/** Resolves with the log line of the shutdown. */
async function shutdownLine({ lines }: ServiceProcess): Promise<string> {
  for (;;) {
    const line = lines.find((each) => each.includes("shutting down"));
    if (line !== undefined) return line;
    await Bun.sleep(5);
  }
}
