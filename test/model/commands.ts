/** Random commands, and the operation that a command stands for in a state. */
import fc from "fast-check";
import { accountOf, type KeyKind, type Op, type Scope, type World } from "./world.ts";

export const ACCOUNTS = 2;
export const KEYPAIRS = 5;
export const CONTENTS = 4;

/** An operation whose details depend on the state; `replay` sends an earlier request again, `wait` moves the clock. */
export type Command =
  | Extract<
      Op,
      {
        op:
          | "create"
          | "retrieve"
          | "verify-factor"
          | "delete-backup"
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
  | { readonly op: "replay"; readonly nth: number }
  | { readonly op: "wait"; readonly minutes: number };

const account = fc.nat(ACCOUNTS - 1);
const keypair = fc.nat(KEYPAIRS - 1);
const content = fc.nat(CONTENTS - 1);
const key = fc.constantFrom<KeyKind | null>(null, null, "PRF", "ICLOUD");
const of = <const T extends string>(op: T) => fc.constant(op);

/** Operations that a single device may send at any time. */
const operations = [
  { weight: 3, arbitrary: fc.record({ op: of("create"), account, main: keypair, sync: keypair, content }) },
  {
    weight: 4,
    arbitrary: fc.record({
      op: of("sync"),
      by: keypair,
      knows: fc.constantFrom("current" as const, "current" as const, "another" as const),
      next: content,
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: of("retrieve"), by: keypair }) },
  { weight: 1, arbitrary: fc.record({ op: of("verify-factor"), by: keypair }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: of("retrieve-metadata"),
      by: keypair,
      expecting: fc.option(account, { nil: null }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: of("add-sync-factor"),
      token: fc.nat(3),
      factor: keypair,
      nth: fc.option(fc.nat(3), { nil: null }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: of("add-factor"), by: keypair, factor: keypair, key }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: of("delete-factor"),
      by: keypair,
      scope: fc.constantFrom<Scope>("MAIN", "SYNC"),
      nth: fc.nat(3),
      key,
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: of("delete-backup"), by: keypair }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom("reset" as const, "status" as const), account }) },
];
const replay = { weight: 2, arbitrary: fc.record({ op: of("replay"), nth: fc.nat(5) }) };
const wait = { weight: 1, arbitrary: fc.record({ op: of("wait"), minutes: fc.constantFrom(1, 7, 15) }) };

export const sequences = fc.array(fc.oneof(...operations, replay, wait), {
  minLength: 1,
  maxLength: 40,
  size: "max",
});

/** Some commands one after the other, then some at once. */
export const batches = fc.record({
  before: fc.array(fc.oneof(...operations), { maxLength: 8, size: "max" }),
  atOnce: fc.array(fc.oneof(...operations, replay), { minLength: 2, maxLength: 5, size: "max" }),
});

/** The operation that a command stands for in this state. */
export function operationFor(world: World, command: Exclude<Command, { op: "replay" | "wait" }>): Op {
  switch (command.op) {
    case "sync": {
      const { op, by, next } = command;
      const found = accountOf(world, "SYNC", by);
      const current = found === null ? null : (world.backups.get(found)?.content ?? null);
      return {
        op,
        by,
        next,
        current: command.knows === "current" || current === null ? current : (current + 1) % CONTENTS,
      };
    }
    case "add-sync-factor": {
      const { op, factor } = command;
      const last = world.tokens.length - 1; // the newest first: older ones have more often been used
      const token = command.token <= last ? last - command.token : null;
      const account = token === null ? undefined : world.tokens[token]?.account;
      const backup = account === undefined ? undefined : world.backups.get(account);
      const replaces = command.nth === null ? null : (backup?.syncs[command.nth]?.serial ?? null);
      return { op, factor, token, replaces };
    }
    case "delete-factor": {
      const { op, by, scope, key: removedKey, nth } = command;
      const found = accountOf(world, "SYNC", by);
      const backup = found === null ? undefined : world.backups.get(found);
      const target = (scope === "MAIN" ? backup?.mains : backup?.syncs)?.[nth]?.serial ?? null;
      return { op, by, scope, target, key: removedKey };
    }
    default:
      return command;
  }
}
