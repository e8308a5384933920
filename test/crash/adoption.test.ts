/** A request that adopts a backup, with every fault at every call that it makes to the stores, here and there. */
import { describe, expect, test } from "bun:test";
import { importMark } from "../../src/backups/legacy/import-mark.ts";
import { DRIVERS } from "../drivers.ts";
import { type AdoptionWorld, adoptionWorld, interceptedSource } from "../support/adopting-service.ts";
import type { ApiClient, ApiResponse } from "../support/api-client.ts";
import { newKeypair, proven } from "../support/factors.ts";
import { interceptedStores } from "../support/intercepted-stores.ts";
import { brokenInvariantsOfAll } from "../support/invariants.ts";
import { type LegacyUser, legacyKeypair, legacyUser } from "../support/legacy-users.ts";
import { firstMain } from "../support/moved-in-users.ts";
import type { TestService } from "../support/service.ts";
import { solved } from "../support/users.ts";
import { outcomeOf } from "./crash-points.ts";
import { FAULTS, Fault, type FaultKind } from "./faults.ts";
import { pooled } from "./report.ts";

const LIMIT_MS = 600_000;
/** How many cases run concurrently; each has a user of its own. */
const WIDTH = 6;

/** As in crash-points.test.ts. */
const faultsOn = (driver: string): readonly FaultKind[] =>
  driver === "local" ? FAULTS : ["stops after", "loses its response"];

interface First {
  readonly name: string;
  /** A request, which is the same each time it is sent. */
  prepare(client: ApiClient, user: LegacyUser): Promise<(client: ApiClient) => Promise<ApiResponse<unknown>>>;
  /** Whether the backup is there once it has succeeded. */
  readonly stays: boolean;
}

const FIRSTS: readonly First[] = [
  {
    name: "verify-factor",
    async prepare(client, user) {
      const request = await proven(client, "verify-factor", firstMain(user));
      return (to) => to.verifyFactor(request);
    },
    stays: true,
  },
  {
    name: "delete-backup",
    async prepare(client, { syncs: [sync] }) {
      if (sync === undefined) throw new Error("the user has no sync factor");
      const request = await solved(client, "delete-backup", sync);
      return (to) => to.deleteBackup(request);
    },
    stays: false,
  },
];

/** Sends the request to a process with the fault, and ends this process. */
async function withFault(
  world: AdoptionWorld,
  fault: Fault,
  send: (client: ApiClient) => Promise<ApiResponse<unknown>>,
): Promise<string> {
  await using faulty = await world.start({
    wrapStores: (stores) => interceptedStores(stores, fault.around),
    wrapOtherService: (source) => interceptedSource(source, fault.around),
  });
  return outcomeOf(await send(faulty.client));
}

/** What differs from what was expected, for a fault at the n-th call; the call that it hit, `null` when there were fewer. */
async function runOnce(world: AdoptionWorld, healthy: TestService, first: First, fault: Fault) {
  const { client, services } = healthy;
  const { records } = services.stores;
  const user = legacyUser({ mains: [legacyKeypair(newKeypair()), legacyKeypair()] });
  await world.legacy.add(user);
  const send = await first.prepare(client, user);
  const problems: string[] = [];
  const expectOne = (what: string, found: unknown, ...expected: unknown[]) => {
    if (!expected.includes(found)) problems.push(`${what} is ${found}, not ${expected.join(" or ")}`);
  };

  const response = await withFault(world, fault, send);
  expectOne("the response", response, "ok", ...(fault.hit === null ? [] : ["service_unavailable"]));
  const [stored, isMarked] = await Promise.all([
    records.read(user.id),
    records.isConsumed([importMark(user.id)]),
  ]);
  if (stored !== null) expectOne("the mark of a backup that is here", isMarked, true);
  if (response === "ok") expectOne("whether it is here after the response", stored !== null, first.stays);

  expectOne("the same request", outcomeOf(await send(client)), "ok", "already_used");
  expectOne("whether it is here then", (await records.read(user.id)) !== null, first.stays);
  expectOne("the same request once more", outcomeOf(await send(client)), "already_used");
  const verification = await client.verifyFactor(await proven(client, "verify-factor", firstMain(user)));
  expectOne("a new request", outcomeOf(verification), first.stays ? "ok" : "backup_untraceable");
  return problems;
}

for (const driver of DRIVERS)
  describe(`a fault at any call while a backup is adopted (${driver.name})`, () => {
    test.each(FIRSTS.map((first) => [first.name, first] as const))(
      "by %s leaves it taken over or not, and the next request finishes it",
      async (_name, first) => {
        await using world = await adoptionWorld(driver);
        const healthy = await world.start();
        let cases = 0;
        const failures = await pooled([...faultsOn(driver.name)], WIDTH, async (kind) => {
          const found: string[] = [];
          for (let at = 1; ; at++) {
            const fault = new Fault(kind, at);
            const problems = await runOnce(world, healthy, first, fault);
            found.push(
              ...problems.map((problem) => `${kind} call ${at} (${fault.hit ?? "none"}): ${problem}`),
            );
            if (fault.hit === null) return found;
            cases += 1;
          }
        });
        expect(failures.flat()).toEqual([]);
        expect(cases).toBeGreaterThan(10 * faultsOn(driver.name).length);
        expect(await brokenInvariantsOfAll(healthy.services.stores)).toEqual([]);
      },
      LIMIT_MS,
    );
  });
