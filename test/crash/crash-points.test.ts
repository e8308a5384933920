import { describe, expect, test } from "bun:test";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import { interceptedStores } from "../support/intercepted-stores.ts";
import { startService } from "../support/service.ts";
import { solved } from "../support/users.ts";
import { tryCrashPoints } from "./crash-points.ts";
import { FAULTS } from "./faults.ts";
import { tryInterleavings } from "./interleavings.ts";
import { OPERATIONS } from "./operations.ts";
import { ownerWithBackup } from "./trial.ts";

const LIMIT_MS = 600_000;

/** A request to a distant store takes longer: there the faults that matter most, the rest is for `bun run prove`. */
const faultsOn = (driver: string) =>
  driver === "local" ? FAULTS : (["stops after", "loses its answer"] as const);
const interleavedOn = (driver: string) =>
  driver === "local" ? OPERATIONS : OPERATIONS.filter(({ name }) => name === "sync");

for (const driver of DRIVERS)
  describe(`whatever goes wrong at a call to the stores (${driver.name})`, () => {
    test(
      "leaves all of a change or nothing of it, and nobody stuck",
      async () => {
        const { cases, failures } = await tryCrashPoints(driver, { faults: faultsOn(driver.name) });
        expect(failures).toEqual([]);
        expect(cases).toBeGreaterThan(OPERATIONS.length);
      },
      LIMIT_MS,
    );

    test(
      "and whoever comes in between leaves both changes whole",
      async () => {
        const { cases, failures } = await tryInterleavings(driver, interleavedOn(driver.name));
        expect(failures).toEqual([]);
        expect(cases).toBeGreaterThan(0);
      },
      LIMIT_MS,
    );

    // The contract has a token spent only by a call that succeeds. These read and spend side by side.
    for (const [operation, call] of [
      ["verify-factor", "records.read"],
      ["retrieve", "blobs.get"],
    ] as const)
      test(`${operation} that could not read leaves its token usable`, async () => {
        let broken = true;
        await using service = await startService(driver, {
          wrapStores: (stores) =>
            interceptedStores(stores, async (name, run) => {
              if (broken && name === call) throw new StorageUnavailable("the test refuses this call");
              return run();
            }),
        });
        broken = false;
        const { client } = service;
        const user = await ownerWithBackup(client);
        const request = await solved(client, operation, user.main);
        const send = () =>
          operation === "retrieve" ? client.retrieve(request) : client.verifyFactor(request);
        broken = true;
        const refused = await send();
        expect([refused.code(), refused.body]).toMatchObject(["service_unavailable", { allowRetry: true }]);
        broken = false;
        expect((await send()).status).toBe(200);
      });
  });
