/** Random sequences of requests, with each response and each state compared with the model. */
import fc from "fast-check";
import { collectLeftovers } from "../../src/maintenance/leftovers.ts";
import type { Report } from "../crash/report.ts";
import type { Driver } from "../drivers.ts";
import { CampaignConditions } from "../support/campaign-conditions.ts";
import { brokenAfterCollection, brokenInvariants } from "../support/invariants.ts";
import { startService, type TestService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { type Command, KEYPAIRS, type NewRequest, operationFor, sequences } from "./commands.ts";
import { createDevices, type Devices, type Prepared } from "./devices.ts";
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
  await using service = await startService(driver, { env: { ...MODEL_ENV, ...conditions.env }, clock });
  const outcomes = new Map<string, number>();
  let cases = 0;
  const property = fc.asyncProperty(sequences, async ({ mainKinds, commands }) => {
    cases += commands.length;
    const devices = createDevices(service, conditions, mainKinds);
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

/**
 * Runs commands one after the other.
 *
 * @returns the operations with their outcomes.
 * @throws Error at the first response or state that differs from the model.
 */
async function runSequence(
  service: TestService,
  devices: Devices,
  commands: readonly Command[],
): Promise<string[]> {
  const history: Sent[] = [];
  const outcomes: string[] = [];
  let world = emptyWorld(service.clock.nowMs(), devices.mainModels);

  for (const command of commands) {
    world = afterWaiting(service, world, command.op === "wait" ? command.minutes * MINUTE_MS : 1);
    if (command.op === "wait") continue;
    if (command.op === "collect") {
      await collectLeftovers(service.services.stores);
      requireSame("the state", await devices.stored(), modelled(world));
      continue;
    }
    const sent =
      command.op === "replay"
        ? history.at(-1 - command.nth)
        : await prepared(command.op === "late" ? command.request : command);
    if (sent === undefined) continue;
    if (command.op === "late") world = afterWaiting(service, world, command.minutes * MINUTE_MS);
    const expected = expectedOf(world, sent);
    const outcome = await sent.request.send();
    requireSame(`the response to ${fc.stringify(sent.request.op)}`, outcome, expected.outcome);
    world = expected.world;
    sent.succeeded ||= "ok" in outcome;
    requireSame("the state", await devices.stored(), modelled(world));
    outcomes.push(`${sent.request.op.op}: ${"ok" in outcome ? "ok" : outcome.code}`);
  }
  requireSame("what is broken", await brokenInvariants(service.services.stores, devices.known), []);
  return outcomes;

  async function prepared(command: NewRequest): Promise<Sent> {
    const sent = { request: await devices.prepare(operationFor(world, command), world), succeeded: false };
    history.push(sent);
    return sent;
  }
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
  if (op.op === "delete-factor" && op.scope === "SYNC" && op.key !== null)
    return refuse("encryption_key_not_allowed"); // checked before the proof
  const main = signerOf(op);
  const { kind, stamps } = (main === null ? undefined : world.mains[main]) ?? {};
  if (challengedAtMs !== null && world.nowMs >= challengedAtMs + CHALLENGE_LIFETIME_MS)
    // only an open token says that a passkey need not stamp an activity
    return refuse(
      op.op === "add-factor" && kind === "PASSKEY" && !stamps ? "missing_turnkey_activity" : "jwt_error",
    );
  if (kind === "OIDC_ACCOUNT" && challengedAtMs !== null && isStale(world, challengedAtMs))
    return refuse("oidc_token_verification_error");
  if (challengedAtMs !== null && isStaleStamp(world, op, challengedAtMs))
    return refuse("turnkey_activity_error");
  if (succeeded && challengedAtMs !== null) return refuse("already_used");
  return apply(world, op, { challengedAtMs: challengedAtMs ?? world.nowMs, shown, registered });
}

/** The main factor that signs the challenge of a request, or is registered with a new backup. */
function signerOf(op: Op): number | null {
  switch (op.op) {
    case "create":
      return op.main;
    case "retrieve":
    case "verify-factor":
    case "add-factor":
    case "undelete":
      return op.by;
    default:
      return null;
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
