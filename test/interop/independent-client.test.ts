import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { DRIVERS } from "../drivers.ts";
import { runBun } from "../support/run-bun.ts";
import { startService } from "../support/service.ts";

for (const driver of DRIVERS)
  describe(`a client that shares no code with the service (${driver.name})`, () => {
    test("creates, recovers, updates and deletes backups, with low and high s and each style of multipart", async () => {
      await using service = await startService(driver);
      const ended = await runBun([join(import.meta.dir, "independent-client.mjs"), service.url], {});
      expect(ended).toEqual({ status: 0, output: "4 runs passed\n", errors: "" });
    });
  });
