import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { runPowerLoss } from "./power-loss.ts";

const LIMIT_MS = 600_000; // strace may have to be installed

if (process.platform === "linux")
  for (const driver of DRIVERS.filter(({ name }) => name === "local"))
    describe(`a power failure (${driver.name})`, () => {
      test(
        "keeps every acknowledged change, which was synced before its response",
        async () => {
          const { cases, failures } = await runPowerLoss({ users: 2 });
          expect(failures).toEqual([]);
          expect(cases).toBeGreaterThan(100);
        },
        LIMIT_MS,
      );
    });
