import { describe, expect, test } from "bun:test";
import { ApiClient } from "../../src/cli/api-client.ts";
import { DRIVERS } from "../drivers.ts";
import { multipartBody, multipartType, part } from "../support/multipart-body.ts";
import { head, openConnection } from "../support/raw-http.ts";
import { TEST_CHALLENGE_TOKEN_KEYS } from "../support/service.ts";
import { startProcess } from "../support/service-process.ts";
import { createPayload, newUser, randomBytes, recovered } from "../support/users.ts";

for (const driver of DRIVERS)
  describe(`a process that is told to end (${driver.name})`, () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const)
      test(`by ${signal} finishes the request that runs, and ends with 0`, async () => {
        await using storage = await driver.environment();
        const env = {
          APP_ENV: "development",
          CHALLENGE_TOKEN_KEYS: TEST_CHALLENGE_TOKEN_KEYS,
          ...storage.env,
        };
        const user = newUser(randomBytes(100_000));
        {
          await using service = await startProcess(env);
          const payload = JSON.stringify(await createPayload(new ApiClient({ url: service.url }), user));
          const body = multipartBody([part("payload", payload), part("backup", user.backup)]);
          using connection = await openConnection(service.url);
          const headers = { "content-type": multipartType(), "content-length": body.length };
          await connection.write(head("POST", "/v1/create", headers));
          await connection.write(body.subarray(0, 50_000));
          await fetch(`${service.url}/health`); // by now the upload is being read

          service.signal(signal);
          while (!service.lines.some((line) => line.includes("shutting down"))) await Bun.sleep(5);
          await expect(fetch(`${service.url}/health`, { keepalive: false })).rejects.toThrow();
          await connection.write(body.subarray(50_000));
          expect((await connection.answer()).status).toBe(200);
          expect(await service.exited).toBe(0);
          expect(service.lines.at(-1)).toContain("bye");
        }
        await using again = await startProcess(env);
        const { backup } = await recovered(new ApiClient({ url: again.url }), user);
        expect(Buffer.from(backup, "base64").equals(user.backup)).toBe(true);
      });

    test("while nothing runs ends at once", async () => {
      await using storage = await driver.environment();
      await using service = await startProcess({ APP_ENV: "development", ...storage.env });
      const startedMs = performance.now();
      service.signal("SIGTERM");
      expect(await service.exited).toBe(0);
      expect(performance.now() - startedMs).toBeLessThan(5_000);
    });
  });
