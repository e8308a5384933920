import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { DRIVERS } from "../drivers.ts";
import { startService } from "../support/service.ts";

for (const driver of DRIVERS)
  describe(`a client that shares no code with the service (${driver.name})`, () => {
    test("creates, recovers, updates and deletes backups, with low and high s and each style of multipart", async () => {
      await using service = await startService(driver);
      const client = Bun.spawn(
        [process.execPath, join(import.meta.dir, "independent-client.mjs"), service.url],
        {
          stdout: "pipe",
          stderr: "pipe",
        },
      );
      expect(await new Response(client.stderr).text()).toBe("");
      expect(await new Response(client.stdout).text()).toBe("4 runs passed\n");
      expect(await client.exited).toBe(0);
    });
  });
