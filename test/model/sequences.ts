/** Random sequences of requests, with each response and each state compared with the model. */
import fc from "fast-check";
import { collectLeftovers } from "../../src/maintenance/leftovers.ts";
import type { Report } from "../crash/report.ts";
import type { Driver } from "../drivers.ts";
import type { AppName } from "../support/apps.ts";
import { CampaignConditions } from "../support/campaign-conditions.ts";
import { brokenAfterCollection, brokenInvariants } from "../support/invariants.ts";
import { startService, type TestService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import {
  type Command,
  KEYPAIRS,
  type Late,
  type NewRequest,
  operationFor,
  type Replay,
  sequences,
} from "./commands.ts";
import { createDevices, createPeople, type Devices, type Prepared } from "./devices.ts";
import {
  accountOf,
  apply,
  type BackupModel,
  emptyWorld,
  isStale,
  isStaleStamp,
  KEPT,
  keptDeletions,
  MAX_MAIN_FACTORS,
  MAX_SYNC_FACTORS,
  type MainModel,
  type Op,
  type Outcome,
  shownEvents,
  viewOf,
  type World,
} from "./world.ts";

export interface ModelOptions {
  readonly runs: number;
  readonly seed: number;
}

const CHALLENGE_LIFETIME_MS = 15 * 60 * 1000;
export const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** Few factors, versions and days, so that sequences reach the limits. */
export const MODEL_ENV = {
  VERSIONS_KEEP_LAST: `${KEPT.lastVersions}`,
  VERSIONS_KEEP_DAYS: `${KEPT.daysOfVersions}`,
  DELETED_KEEP_DAYS: `${KEPT.deletedDays}`,
  EVENTS_KEEP_DAYS: `${KEPT.eventsDays}`,
  MAX_MAIN_FACTORS: `${MAX_MAIN_FACTORS}`,
  MAX_SYNC_FACTORS: `${MAX_SYNC_FACTORS}`,
};

/** The report of a property that fails has the shortest sequence that fast-check found. */
export async function runSequences(driver: Driver, { runs, seed }: ModelOptions): Promise<Report> {
  const clock = new SettableClock();
  await using conditions = new CampaignConditions(clock);
  await using service = await startService(driver, { env: { ...MODEL_ENV, ...conditions.envOfApps }, clock });
  const outcomes = new Map<string, number>();
  let cases = 0;
  const property = fc.asyncProperty(sequences, async ({ mainKinds, app, commands }) => {
    cases += commands.length;
    const people = createPeople(conditions, mainKinds);
    const at = (name: AppName) => createDevices(service, conditions, people, name);
    const devices = { home: at(app), abroad: at(app === "first" ? "second" : "first") };
    for (const name of await runSequence(service, devices, commands))
      outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
  });
  const failures = await failuresOf(property, { runs, seed });
  failures.push(...(await brokenAtTheEnd(service)));

  return { cases, failures, played: conditions.played, notes: { runs, "kinds of responses": outcomes.size } };
}

/** What is broken once everything is collected that is kept for some time. Nothing has crashed, so nothing else is left. */
export async function brokenAtTheEnd({ services, clock }: TestService): Promise<string[]> {
  await services.background.settled();
  clock.advance((KEPT.deletedDays + 1) * DAY_MS);
  await collectLeftovers(services.stores);
  return brokenAfterCollection(services.stores);
}

/** Checks a property; a counterexample becomes one line. */
export async function failuresOf<T>(
  property: fc.IAsyncPropertyWithHooks<T>,
  { runs, seed }: ModelOptions,
): Promise<string[]> {
  const details = await fc.check(property, { numRuns: runs, seed });
  if (!details.failed) return [];
  const { counterexample, counterexamplePath, errorInstance } = details;
  const where = `seed ${seed}, path ${counterexamplePath}`;
  return [`${where}: ${errorInstance}\n${fc.stringify(counterexample)}`];
}

export interface Sent {
  readonly request: Prepared;
  /** Whether the request has succeeded, which consumes its nonces. */
  succeeded: boolean;
}

/** An app with what its devices have sent, and what must be stored of it. */
interface Tenant {
  readonly devices: Devices;
  readonly history: Sent[];
  world: World;
}

/**
 * Runs commands one after the other. The apps have the same people, and nothing in common.
 *
 * @returns the operations with their outcomes.
 * @throws Error at the first response or state that differs from the model.
 */
async function runSequence(
  service: TestService,
  devices: { readonly home: Devices; readonly abroad: Devices },
  commands: readonly Command[],
): Promise<string[]> {
  const outcomes: string[] = [];
  const tenant = (own: Devices): Tenant => {
    return { devices: own, history: [], world: emptyWorld(service.clock.nowMs(), own.mainModels) };
  };
  const [home, abroad] = [tenant(devices.home), tenant(devices.abroad)];

  for (const { away, command } of commands) {
    const [own, other] = away ? [abroad, home] : [home, abroad];
    own.world = afterWaiting(service, own.world, command.op === "wait" ? command.minutes * MINUTE_MS : 1);
    if (command.op === "wait") continue;
    if (command.op === "collect") await collectLeftovers(service.services.stores);
    else if (command.op === "abroad") await sendAbroad(own, other.history.at(-1 - command.nth));
    else await sendAtHome(own, command);
    await requireState(own);
  }
  for (const one of [home, abroad]) {
    one.world = afterWaiting(service, one.world, 0);
    await requireState(one);
    requireSame("what is broken", await brokenInvariants(service.services.stores, one.devices.known), []);
  }
  return outcomes;

  async function sendAtHome(own: Tenant, command: NewRequest | Replay | Late): Promise<void> {
    const sent =
      command.op === "replay"
        ? own.history.at(-1 - command.nth)
        : await prepared(own, command.op === "late" ? command.request : command);
    if (sent === undefined) return;
    if (command.op === "late") own.world = afterWaiting(service, own.world, command.minutes * MINUTE_MS);
    const { request } = sent;
    const expected = expectedOf(own.world, sent);
    const outcome = await request.send();
    requireSame(`the response to ${fc.stringify(request.op)}`, outcome, expected.outcome);
    own.world = expected.world;
    sent.succeeded ||= "ok" in outcome;
    outcomes.push(`${request.op.op}: ${"ok" in outcome ? "ok" : outcome.code}`);
  }

  async function sendAbroad(own: Tenant, sent: Sent | undefined): Promise<void> {
    if (sent === undefined) return;
    const { request } = sent;
    const outcome = await request.send(own.devices.client);
    requireSame(
      `another app's response to ${fc.stringify(request.op)}`,
      outcome,
      expectedAbroad(own.world, request),
    );
    outcomes.push(`${request.op.op} at another app: ${"ok" in outcome ? "ok" : outcome.code}`);
  }

  async function prepared({ devices: own, history, world }: Tenant, command: NewRequest): Promise<Sent> {
    const sent = { request: await own.prepare(operationFor(world, command), world), succeeded: false };
    history.push(sent);
    return sent;
  }
}

async function requireState({ devices, world }: Tenant): Promise<void> {
  requireSame("the state", await devices.stored(), modelled(world));
}

/** Lets time pass. No two changes are of one millisecond, as the order of deletions is that of their times. */
export function afterWaiting({ clock }: TestService, world: World, ms: number): World {
  clock.advance(ms);
  return { ...world, nowMs: clock.nowMs() };
}

/** The model's outcome of a request, which may be new or a retry. */
export function expectedOf(world: World, { request, succeeded }: Sent): { world: World; outcome: Outcome } {
  const { op, challengedAtMs, shown, registered } = request;
  const refuse = (code: string) => ({ world, outcome: { code } });
  if (challengedAtMs === null) return apply(world, op, { challengedAtMs: world.nowMs, shown, registered });
  if (isRefusedUnproven(op)) return refuse("encryption_key_not_allowed");
  if (world.nowMs >= challengedAtMs + CHALLENGE_LIFETIME_MS) return refuse(badToken(world, op));
  if (signerIn(world, op)?.kind === "OIDC_ACCOUNT" && isStale(world, challengedAtMs))
    return refuse("oidc_token_verification_error");
  if (isStaleStamp(world, op, challengedAtMs)) return refuse("turnkey_activity_error");
  if (succeeded) return refuse("already_used");
  return apply(world, op, { challengedAtMs, shown, registered });
}

/** The outcome of a request at another app than it is for: what has no challenge is the same for all apps. */
function expectedAbroad(world: World, request: Prepared): Outcome {
  if (request.challengedAtMs === null) return expectedOf(world, { request, succeeded: false }).outcome;
  return { code: isRefusedUnproven(request.op) ? "encryption_key_not_allowed" : badToken(world, request.op) };
}

function isRefusedUnproven(op: Op): boolean {
  return op.op === "delete-factor" && op.scope === "SYNC" && op.key !== null;
}

/** Of a challenge token that is expired, or of another app. Only an open one says that a passkey need not stamp an activity. */
function badToken(world: World, op: Op): string {
  const { kind, stamps } = signerIn(world, op) ?? {};
  return op.op === "add-factor" && kind === "PASSKEY" && !stamps ? "missing_turnkey_activity" : "jwt_error";
}

/** The main factor that signs the challenge of a request, or is registered with a new backup. */
function signerIn({ mains }: World, op: Op): MainModel | undefined {
  switch (op.op) {
    case "create":
      return mains[op.main];
    case "retrieve":
    case "verify-factor":
    case "add-factor":
    case "undelete":
      return mains[op.by];
    default:
      return undefined;
  }
}

/** The model's state in the shape of what is stored. */
export function modelled(world: World) {
  const keypairs = Array.from({ length: KEYPAIRS }, (_, keypair) => keypair);
  const stateOf = (account: number, backup: BackupModel) => ({
    ...viewOf(account, backup),
    events: shownEvents(backup.events, world.nowMs),
    counters: backup.mains.map(({ counter }) => counter),
  });
  return {
    backups: [...world.backups]
      .sort(([one], [other]) => one - other)
      .map(([account, backup]) => stateOf(account, backup)),
    deleted: keptDeletions(world)
      .sort((one, other) => one.account - other.account)
      .map(({ account, backup }) => stateOf(account, backup)),
    rows: (["MAIN", "SYNC"] as const).flatMap((scope) =>
      keypairs.map((keypair) => accountOf(world, scope, keypair) ?? -1),
    ),
    usable: world.tokens.map(({ used, expiresAtMs }) => !used && expiresAtMs > world.nowMs),
  };
}

function requireSame(what: string, found: unknown, expected: unknown): void {
  if (Bun.deepEquals(found, expected)) return;
  throw new Error(`${what} is ${fc.stringify(found)}, the model says ${fc.stringify(expected)}`);
}
