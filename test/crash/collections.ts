/** The end of a deleted backup's time: a collection, and an undelete by a process whose clock is behind. */
import { type CollectedStores, collectLeftovers } from "../../src/maintenance/leftovers.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import type { Driver, Stores, TestStorage } from "../drivers.ts";
import type { ApiClient } from "../support/api-client.ts";
import { CampaignConditions, MAIN_KINDS, type MainKind } from "../support/campaign-conditions.ts";
import { undeletionRequest } from "../support/factors.ts";
import { type Interceptor, interceptedStores } from "../support/intercepted-stores.ts";
import { brokenAfterCollection, brokenInvariants } from "../support/invariants.ts";
import { startService, type TestService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { CRASH_ENV, outcomeOf, settingOf } from "./crash-points.ts";
import { FAULTS, Fault } from "./faults.ts";
import { ownerWithVersion } from "./history-operations.ts";
import { kindsOf, loggedOf } from "./logged-events.ts";
import type { Report } from "./report.ts";
import { deletedBy, isStored, knownOf } from "./scenario.ts";

const HOUR_MS = 60 * 60 * 1000;
const ENV = { ...CRASH_ENV, DELETED_KEEP_DAYS: "1" };

interface Setup {
  readonly driver: Driver;
  readonly storage: TestStorage;
  readonly service: TestService;
  readonly conditions: CampaignConditions;
  readonly env: Readonly<Record<string, string>>;
  /** Of a process by whose clock the time is over. */
  readonly ahead: Stores;
}

/** Has a collection and an undelete meet at their `at`-th call. */
interface Meeting {
  readonly name: string;
  run(
    setup: Setup,
    at: number,
    undelete: (client: ApiClient) => Promise<string>,
  ): Promise<{ readonly fault: Fault; readonly answer: string }>;
}

const MEETINGS: readonly Meeting[] = [
  {
    name: "an undelete, delayed until all was collected",
    async run({ driver, storage, conditions, env, ahead }, at, undelete) {
      const fault = new Fault("is delayed", at, async () => {
        await collectLeftovers(ahead);
      });
      await using delayed = await startService(driver, {
        storage,
        env,
        wrapStores: (stores) => interceptedStores(stores, fault.around),
      });
      return { fault, answer: await undelete(conditions.newClient(delayed.url)) };
    },
  },
  {
    name: "a collection, delayed until an undelete was made",
    async run({ service, conditions, ahead }, at, undelete) {
      const client = conditions.newClient(service.url);
      let answer = "none";
      const fault = new Fault("is delayed", at, async () => {
        answer = await undelete(client);
      });
      await collectLeftovers(intercepted(ahead, fault.around));
      return { fault, answer: answer === "none" ? await undelete(client) : answer };
    },
  },
  ...FAULTS.filter((kind) => kind !== "is delayed").map(
    (kind): Meeting => ({
      name: `a collection that ${kind} a call, and then an undelete`,
      async run({ service, conditions, ahead }, at, undelete) {
        const fault = new Fault(kind, at);
        const [collected] = await Promise.allSettled([collectLeftovers(intercepted(ahead, fault.around))]);
        if (fault.hit !== null && collected.status === "fulfilled")
          throw new Error("a fault was not reported");
        return { fault, answer: await undelete(conditions.newClient(service.url)) };
      },
    }),
  ),
];

/** Either the backup is back with all that it had, or nothing is left of it. */
export async function runCollections(driver: Driver): Promise<Report> {
  await using storage = await driver.environment();
  const clock = new SettableClock();
  await using conditions = new CampaignConditions(clock);
  const env = { ...ENV, ...conditions.env };
  await using service = await startService(driver, { storage, env, clock });
  const later = new SettableClock(clock.nowMs() + 26 * HOUR_MS);
  await using ahead = await storage.open({ clock: later, random: systemRandom });
  const setup = { driver, storage, service, conditions, env, ahead };
  const failures: string[] = [];
  let cases = 0;
  let undeleted = 0;
  for (const meeting of MEETINGS)
    for (let at = 1; ; at++) {
      const mainKind = MAIN_KINDS[cases % MAIN_KINDS.length] ?? "keypair";
      const { hit, isBack, problems } = await runOnce(setup, meeting, mainKind, at);
      const where = `${meeting.name} with a ${mainKind}, at call ${at} (${hit})`;
      failures.push(...problems.map((problem) => `${where}: ${problem}`));
      if (hit === null) break;
      cases += 1;
      if (isBack) undeleted += 1;
    }
  await service.services.background.settled();
  failures.push(...(await brokenAfterCollection(ahead)).map((broken) => `at the end: ${broken}`));
  return { cases, failures, notes: { undeleted } };
}

async function runOnce(setup: Setup, meeting: Meeting, mainKind: MainKind, at: number) {
  const { service, conditions, ahead } = setup;
  const { services } = service;
  const setting = settingOf({ healthy: service, conditions }, mainKind);
  const { client } = setting;
  const { user } = await ownerWithVersion(setting);
  await deletedBy(client, user);
  const { backupAccountId: backupId } = user.account;
  const before = await loggedOf(services, backupId);
  const request = await undeletionRequest(client, user);
  const { fault, answer } = await meeting.run(setup, at, async (to) => outcomeOf(await to.undelete(request)));

  await collectLeftovers(ahead);
  const problems = await brokenInvariants(ahead, knownOf(user));
  const isBack = answer === "ok";
  if (!isBack && answer !== "backup_does_not_exist") problems.push(`the undelete was answered ${answer}`);
  if ((await isStored(services, user)) !== isBack)
    problems.push(`the undelete was answered ${answer}, and the backup is ${isBack ? "not " : ""}stored`);
  if ((await services.records.readDeleted(backupId)).length > 0) problems.push("a deleted state is left");
  const record = await services.records.read(backupId);
  if (isBack && record?.versions.length !== 1) problems.push("the version did not come back");
  const kinds = kindsOf(await loggedOf(services, backupId, before));
  if (kinds !== (isBack ? "CREATED DELETED UNDELETED" : ""))
    problems.push(`the log has ${kinds || "nothing"}`);
  return { hit: fault.hit, isBack, problems };
}

/** The stores of a collection, with every call but the search for what is due going through `around`. */
function intercepted({ records, blobs }: Stores, around: Interceptor): CollectedStores {
  const { collection } = records;
  return {
    records: {
      read: (backupId) => around("records.read", () => records.read(backupId)),
      readDeleted: (backupId, after) =>
        around("records.readDeleted", () => records.readDeleted(backupId, after)),
      collection: {
        lease: (holder, untilMs) => collection.lease(holder, untilMs),
        due: (limit) => collection.due(limit),
        take: (due) => around("collection.take", () => collection.take(due)),
        settle: (due) => around("collection.settle", () => collection.settle(due)),
      },
    },
    blobs: { delete: (key) => around("blobs.delete", () => blobs.delete(key)) },
  };
}
