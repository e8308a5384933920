/** What a customer expects of its backup, what a change makes of that, and how it is compared with what is found. */
import type { EventKind } from "../../src/protocol/event.ts";
import type { FactorKeypair } from "../support/factor-keypair.ts";
import type { MainFactor } from "../support/factors.ts";
import { manifestHashOf } from "../support/invariants.ts";

/** The expected state of a backup. The first main factor is removed last, and the first sync factor only by an undelete. */
export interface ExpectedState {
  readonly content: Uint8Array;
  /** The contents before, newest first: as many as the service keeps of one day. */
  readonly earlier: readonly Uint8Array[];
  readonly mains: readonly [MainFactor, ...MainFactor[]];
  readonly syncs: readonly FactorKeypair[];
  /** The kinds of its events, oldest first, but for recoveries. */
  readonly log: readonly EventKind[];
}

/** The backup of an account, or what its latest deletion has left to be brought back. */
export interface Expected {
  readonly stored: ExpectedState | null;
  readonly kept: ExpectedState | null;
}

/** What a change leads to. */
export interface Effect {
  readonly after: Expected;
  /** The events that it leaves, in their order. */
  readonly leaves: readonly EventKind[];
}

export const NOTHING: Expected = { stored: null, kept: null };
/** `VERSIONS_KEEP_LAST`. */
export const KEPT_VERSIONS = 2;
/** How many of the newest events are compared. */
const COMPARED_EVENTS = 8;

/** A backup that has changed, and the events of the change. */
export function changed(
  { log, ...stored }: ExpectedState,
  change: Partial<ExpectedState>,
  ...leaves: readonly EventKind[]
): Effect {
  return { after: { stored: { ...stored, ...change, log: [...log, ...leaves] }, kept: null }, leaves };
}

/** A deleted backup. It comes back without the sync factor that deleted it. */
export function deleted(
  { log, syncs, ...stored }: ExpectedState,
  by: FactorKeypair,
  ...leaves: readonly EventKind[]
): Effect {
  const kept = { ...stored, syncs: syncs.filter((sync) => sync !== by), log: [...log, ...leaves] };
  return { after: { stored: null, kept }, leaves };
}

export function described(expected: ExpectedState | null): string {
  if (expected === null) return "no backup";
  const { content, earlier, mains, syncs, log } = expected;
  return describedAs({
    content,
    earlier: earlier.map(manifestHashOf),
    mains: mains.map(({ shown }) => shown),
    syncs: syncs.map(({ publicKey }) => publicKey),
    log: syncs.length === 0 ? [] : log, // no device can read it
  });
}

/** The same of what is found: versions by their manifest hash, factors as the service shows them. */
export function describedAs({
  content,
  earlier,
  mains,
  syncs,
  log,
}: Readonly<Record<"earlier" | "mains" | "syncs" | "log", readonly string[]>> & {
  readonly content: Uint8Array;
}): string {
  const short = (keys: readonly string[]) => keys.map((key) => key.slice(0, 24)).join(" ");
  const hashes = [manifestHashOf(content), ...earlier].map((hash) => hash.slice(0, 12));
  const events = log.slice(-COMPARED_EVENTS).join(" ");
  return `${content.length} bytes ${hashes.join(" before that ")}, main ${short(mains)}, sync ${short(syncs)}, ${events}`;
}
