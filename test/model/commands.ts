/** Random commands, and the operation that a command stands for in a state. */
import fc from "fast-check";
import type { AppName } from "../support/apps.ts";
import { MAIN_KINDS } from "../support/campaign-conditions.ts";
import { type BackupModel, type KeyKind, keptDeletions, type Op, type Scope, type World } from "./world.ts";

export const ACCOUNTS = 2;
export const KEYPAIRS = 5;
export const CONTENTS = 4;
/** Stands for a token that was never issued. */
const NO_TOKEN = 3;
/** The serial number of no version. */
const NO_VERSION = -1;

/**
 * A command that sends a new request: an operation whose details may depend on the state.
 * `by` is the number of a keypair, or a larger one: then it chooses among the keypairs that are on a backup.
 */
export type NewRequest =
  | Extract<
      Op,
      {
        op:
          | "create"
          | "verify-factor"
          | "delete-backup"
          | "undelete"
          | "list-events"
          | "retrieve-metadata"
          | "add-factor"
          | "reset"
          | "status";
      }
    >
  | { readonly op: "sync"; readonly by: number; readonly knows: "current" | "another"; readonly next: number }
  | {
      readonly op: "add-sync-factor";
      readonly token: number;
      readonly factor: number;
      readonly nth: number | null;
    }
  | {
      readonly op: "delete-factor";
      readonly by: number;
      readonly scope: Scope;
      readonly nth: number;
      readonly key: KeyKind | null;
    }
  /** `nth`: of the versions; `null` is the current content, a number too large a version that is not there. */
  | { readonly op: "retrieve"; readonly by: number; readonly nth: number | null }
  | {
      readonly op: "restore-version";
      readonly by: number;
      readonly knows: "current" | "another";
      readonly nth: number;
    };

/** Sends an earlier request again. */
export interface Replay {
  readonly op: "replay";
  readonly nth: number;
}

/** Sends a request to another app than it is for. */
interface Abroad {
  readonly op: "abroad";
  readonly nth: number;
}

/** Moves the clock. */
export interface Wait {
  readonly op: "wait";
  readonly minutes: number;
}

/** What the service does from time to time. */
export interface Collect {
  readonly op: "collect";
}

/** Sends a request some time after its challenges were solved. */
export interface Late {
  readonly op: "late";
  readonly request: NewRequest;
  readonly minutes: number;
}

/** `away`: not at the app that most of the commands are for. That one gets far. */
export interface Command {
  readonly away: boolean;
  readonly command: NewRequest | Replay | Abroad | Wait | Collect | Late;
}

const app = fc.constantFrom<AppName>("first", "second");
const away = fc.constantFrom(false, false, false, true);
const account = fc.nat(ACCOUNTS - 1);
const keypair = fc.nat(KEYPAIRS - 1);
const by = fc.nat(3 * KEYPAIRS - 1);
const content = fc.nat(CONTENTS - 1);
const knows = fc.constantFrom("current" as const, "current" as const, "another" as const);
const key = fc.constantFrom<KeyKind | null>(null, null, "PRF", "ICLOUD", "TURNKEY");
const of = <const T extends string>(op: T) => fc.constant(op);

/** Operations that a single device may send at any time. */
const operations = [
  { weight: 3, arbitrary: fc.record({ op: of("create"), account, main: keypair, sync: keypair, content }) },
  {
    weight: 4,
    arbitrary: fc.record({
      op: of("sync"),
      by,
      knows,
      next: content,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ op: of("retrieve"), by, nth: fc.option(fc.nat(2), { nil: null, freq: 1 }) }),
  },
  { weight: 3, arbitrary: fc.record({ op: of("restore-version"), by, knows, nth: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ op: of("verify-factor"), by }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: of("retrieve-metadata"),
      by,
      expecting: fc.option(account, { nil: null }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: of("add-sync-factor"),
      token: fc.nat(NO_TOKEN),
      factor: keypair,
      nth: fc.option(fc.nat(3), { nil: null }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: of("add-factor"), by, factor: keypair, key }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: of("delete-factor"),
      by,
      scope: fc.constantFrom<Scope>("MAIN", "SYNC"),
      nth: fc.nat(3),
      key,
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: of("delete-backup"), by }) },
  { weight: 3, arbitrary: fc.record({ op: of("undelete"), by, account }) },
  { weight: 1, arbitrary: fc.record({ op: of("list-events"), by }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom("reset" as const, "status" as const), account }) },
];
const replay = { weight: 4, arbitrary: fc.record({ op: of("replay"), nth: fc.nat(5) }) };
const abroad = { weight: 1, arbitrary: fc.record({ op: of("abroad"), nth: fc.nat(2) }) };
const HOUR = 60;
const wait = {
  weight: 3,
  arbitrary: fc.record({
    op: of("wait"),
    minutes: fc.constantFrom(2, 2, 7, 7, 15, 6 * HOUR, 24 * HOUR, 72 * HOUR),
  }),
};
const collect = { weight: 1, arbitrary: fc.record({ op: of("collect") }) };

const late = {
  weight: 4,
  arbitrary: fc.record({
    op: of("late"),
    request: fc.oneof(...operations),
    minutes: fc.constantFrom(2, 7, 7, 15),
  }),
};

/** A counterexample has as many keypairs as possible. */
const mainKinds = fc.array(fc.constantFrom(...MAIN_KINDS), { minLength: KEYPAIRS, maxLength: KEYPAIRS });

export const sequences = fc.record({
  mainKinds,
  app,
  commands: fc.array(
    fc.record({ away, command: fc.oneof(...operations, replay, abroad, wait, collect, late) }),
    { minLength: 1, maxLength: 40, size: "max" },
  ),
});

const CREATION = { op: "create", account: 0, main: 0, sync: 0, content: 0 } as const;

/** What random commands seldom reach: a backup, one with a version, a token for a device, and a deleted backup. */
const opening = fc.constantFrom<readonly NewRequest[]>(
  [],
  [CREATION],
  [CREATION, { op: "sync", by: KEYPAIRS, knows: "current", next: 1 }],
  [CREATION, { op: "retrieve", by: KEYPAIRS, nth: null }],
  [CREATION, { op: "delete-backup", by: KEYPAIRS }],
);

/** Some commands one after the other, then some at once. */
export const batches = fc.record({
  mainKinds,
  app,
  opening,
  before: fc.array(fc.oneof(...operations, wait), { maxLength: 6, size: "max" }),
  atOnce: fc.array(fc.oneof(...operations, replay, collect), { minLength: 2, maxLength: 5, size: "max" }),
});

/** The operation that a command stands for in this state. */
export function operationFor(world: World, command: NewRequest): Op {
  switch (command.op) {
    case "sync": {
      const { op, next, knows } = command;
      const { by, backup } = holderOf(world, "SYNC", command.by);
      return { op, by, next, current: manifestFor(backup, knows) };
    }
    case "retrieve": {
      const { op, nth } = command;
      const { by, backup } = holderOf(world, "MAIN", command.by);
      return { op, by, version: nth === null ? null : versionOf(backup, nth) };
    }
    case "restore-version": {
      const { op, nth, knows } = command;
      const { by, backup } = holderOf(world, "SYNC", command.by);
      return { op, by, version: versionOf(backup, nth), current: manifestFor(backup, knows) };
    }
    case "add-sync-factor": {
      const { op, factor } = command;
      const { length } = world.tokens;
      // the newest first: older ones have more often been used
      const token = command.token === NO_TOKEN || length === 0 ? null : length - 1 - (command.token % length);
      const account = token === null ? undefined : world.tokens[token]?.account;
      const backup = account === undefined ? undefined : world.backups.get(account);
      const replaces = command.nth === null ? null : (backup?.syncs[command.nth]?.serial ?? null);
      return { op, factor, token, replaces };
    }
    case "delete-factor": {
      const { op, scope, key: removedKey, nth } = command;
      const { by, backup } = holderOf(world, "SYNC", command.by);
      const target = (scope === "MAIN" ? backup?.mains : backup?.syncs)?.[nth]?.serial ?? null;
      return { op, by, scope, target, key: removedKey };
    }
    case "undelete": {
      const kept = command.by < KEYPAIRS ? [] : keptDeletions(world);
      const chosen = kept[command.by % Math.max(kept.length, 1)];
      const { account = command.account, backup } = chosen ?? {};
      return { op: command.op, account, by: backup?.mains.at(-1)?.keypair ?? command.by % KEYPAIRS };
    }
    case "verify-factor":
    case "add-factor":
      return { ...command, by: holderOf(world, "MAIN", command.by).by };
    case "delete-backup":
    case "list-events":
    case "retrieve-metadata":
      return { ...command, by: holderOf(world, "SYNC", command.by).by };
    default:
      return command;
  }
}

/** The keypair that a number stands for, and the backup that it is on. */
function holderOf(world: World, scope: Scope, by: number) {
  const holders = [...world.backups.values()].flatMap((backup) =>
    (scope === "MAIN" ? backup.mains : backup.syncs).map((factor) => ({ by: factor.keypair, backup })),
  );
  if (by >= KEYPAIRS && holders.length > 0) return holders[by % holders.length] ?? { by, backup: undefined };
  const keypair = by % KEYPAIRS;
  return holders.find((holder) => holder.by === keypair) ?? { by: keypair, backup: undefined };
}

function versionOf(backup: BackupModel | undefined, nth: number): number {
  return backup?.versions[nth]?.serial ?? NO_VERSION;
}

/** The content that a device takes for the current one. */
function manifestFor(backup: BackupModel | undefined, knows: "current" | "another"): number | null {
  if (backup === undefined) return null;
  return knows === "current" ? backup.content : (backup.content + 1) % CONTENTS;
}
