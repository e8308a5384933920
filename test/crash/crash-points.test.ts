import { describe, expect, test } from "bun:test";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import { CHANGING } from "../support/campaign-conditions.ts";
import { interceptedStores } from "../support/intercepted-stores.ts";
import { startService } from "../support/service.ts";
import { solved } from "../support/users.ts";
import { runCollections } from "./collections.ts";
import { runCrashPoints } from "./crash-points.ts";
import { runDeliveries } from "./deliveries.ts";
import { FAULTS } from "./faults.ts";
import { runInterleavings } from "./interleavings.ts";
import { OPERATIONS } from "./operations.ts";
import { ownerWithBackup } from "./scenario.ts";

const LIMIT_MS = 600_000;

/** Requests to DynamoDB and S3 are slow, so only the most important faults run there; `bun run prove` runs all. */
const faultsOn = (driver: string) =>
  driver === "local" ? FAULTS : (["stops after", "loses its response"] as const);
const interleavedOn = (driver: string) =>
  driver === "local" ? OPERATIONS : OPERATIONS.filter(({ name }) => name === "sync" || name === "undelete");

for (const driver of DRIVERS)
  describe(`a fault at any call to the stores (${driver.name})`, () => {
    test(
      "leaves a change complete or not made, and every user able to continue",
      async () => {
        const { cases, failures, played } = await runCrashPoints(driver, { faults: faultsOn(driver.name) });
        expect(failures).toEqual([]);
        expect([...(played ?? [])]).toEqual(expect.arrayContaining([...CHANGING]));
        expect(cases).toBeGreaterThan(OPERATIONS.length);
      },
      LIMIT_MS,
    );

    test(
      "a request of a rival before that call leaves both changes complete",
      async () => {
        const { cases, failures, played } = await runInterleavings(driver, {
          operations: interleavedOn(driver.name),
        });
        expect(failures).toEqual([]);
        if (driver.name === "local")
          expect([...(played ?? [])]).toEqual(expect.arrayContaining([...CHANGING]));
        expect(cases).toBeGreaterThan(0);
      },
      LIMIT_MS,
    );

    test(
      "of a collection brings a backup back as a whole, or leaves nothing of it",
      async () => {
        const { cases, failures, notes } = await runCollections(driver);
        expect(failures).toEqual([]);
        expect(notes?.undeleted).toBeGreaterThan(0);
        expect(cases).toBeGreaterThan(Number(notes?.undeleted));
      },
      LIMIT_MS,
    );

    test(
      "of a delivery leaves an event that reaches the webhook soon",
      async () => {
        const { cases, failures } = await runDeliveries(driver);
        expect(failures).toEqual([]);
        expect(cases).toBeGreaterThan(50);
      },
      LIMIT_MS,
    );

    // Only a request that succeeds may consume its nonce. These operations read and consume concurrently.
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
