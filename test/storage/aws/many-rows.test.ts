/** How a change of many index rows is divided into transactions, and which rows are released where it is not made. */
import { describe, expect, test } from "bun:test";
import { commitInTransactions, type OneTransaction } from "../../../src/storage/aws/many-rows.ts";
import {
  type Change,
  ChangeRefused,
  type Conflict,
  isUnchanged,
  NotCommitted,
  StorageUnavailable,
} from "../../../src/storage/contract.ts";
import { main, record } from "../../contract/fixture.ts";

type Outcome = "committed" | Conflict | Error;

const rows = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => main(`${from + n}`));
const CREATION: Change = { backupId: "b1", expect: "absent", next: record("b1") };
const DELETION: Change = { backupId: "b1", expect: { revision: "r1" }, next: null };

/**
 * Commits with these outcomes, one for each transaction; rows with the keys of `ours` lead to the backup already, and others
 * release those of `released` right before its record is stored.
 */
async function outcomeOf(
  change: Change,
  outcomes: readonly Outcome[] = [],
  {
    ours = [],
    released = [],
  }: { readonly ours?: readonly string[]; readonly released?: readonly string[] } = {},
) {
  const leading = new Set(ours);
  const made: string[] = [];
  const nameOf = ({ expect: expected, next, claim = [], release = [] }: Change, mustFail?: boolean) => {
    const [kind, list] = claim.length > 0 ? ["claim", claim] : ["release", release];
    const at = next !== null && expected !== "absent" ? ` at ${expected.revision}` : "";
    const what =
      next === null && expected === "absent" ? kind : `${next ? "record" : "deletion"}${at}, ${kind}`;
    return `${what} ${list[0]?.key}-${list.at(-1)?.key}${mustFail ? ", fails" : ""}`;
  };
  const one: OneTransaction = {
    revision: "r0",
    async commit(part, mustFail) {
      const outcome = outcomes[made.length] ?? "committed";
      made.push(nameOf(part, mustFail));
      if (outcome instanceof Error) throw outcome;
      if (part.expect === "absent" && part.next !== null) for (const key of released) leading.delete(key);
      if (outcome === "committed") for (const { key } of part.claim ?? []) leading.add(key);
      return outcome;
    },
    notLeadingTo: async (_backupId, factors) => factors.filter(({ key }) => !leading.has(key)),
  };
  const outcome: unknown = await commitInTransactions(change, one).catch((error: unknown) => error);
  return { outcome, made };
}

describe("a creation", () => {
  test("of as many rows as fit is one transaction", async () => {
    const change = { ...CREATION, claim: [...rows(0, 40), main("3")] };
    expect((await outcomeOf(change)).made).toHaveLength(1);
  });

  test("of more claims the further ones first, and none twice", async () => {
    const claim = [...rows(0, 3), ...rows(0, 121)];
    expect(await outcomeOf({ ...CREATION, claim })).toEqual({
      outcome: "committed",
      made: ["claim 40-79", "claim 80-119", "claim 120-120", "record, claim 0-39"],
    });
  });

  test("that repeats one does not release the rows that were there before", async () => {
    const claim = rows(0, 60);
    expect(await outcomeOf({ ...CREATION, claim }, ["committed", "exists"], { ours: ["40", "59"] })).toEqual({
      outcome: "exists",
      made: ["claim 41-58", "record, claim 0-39", "release 41-58"],
    });
  });

  test("takes over the rows of its id, and only those", async () => {
    const change = { ...CREATION, claim: rows(0, 3) };
    expect(await outcomeOf(change, ["factor-claimed"], { ours: ["2"] })).toEqual({
      outcome: "committed",
      made: ["record, claim 0-2", "record, claim 0-1"],
    });
    expect(await outcomeOf(change, ["factor-claimed"])).toEqual({
      outcome: "factor-claimed",
      made: ["record, claim 0-2"],
    });
  });

  test("claims those that others released before its record again, at its revision", async () => {
    const claim = rows(0, 140);
    expect(
      await outcomeOf({ ...CREATION, claim }, [], { ours: ["50"], released: ["50", "51", "130"] }),
    ).toEqual({
      outcome: "committed",
      made: [
        "claim 40-79",
        "claim 80-119",
        "claim 120-139",
        "record, claim 0-39",
        "record at r0, claim 50-51",
        "record at r0, claim 130-130",
      ],
    });
  });

  test("is in doubt where a row that others released could not be claimed again", async () => {
    const change = { ...CREATION, claim: rows(0, 60) };
    for (const last of ["revision", "factor-claimed", new NotCommitted("throttled")] as const) {
      const outcomes = ["committed", "committed", last] as const;
      const { outcome, made } = await outcomeOf(change, outcomes, { released: ["50"] });
      expect(outcome).toBeInstanceOf(StorageUnavailable);
      expect(isUnchanged(outcome)).toBe(false);
      expect(made).toEqual(["claim 40-59", "record, claim 0-39", "record at r0, claim 50-50"]);
    }
  });

  test("that conflicts claims no further rows, finds the first conflict, and releases its own", async () => {
    const change = { ...CREATION, claim: rows(0, 130) };
    expect(await outcomeOf(change, ["committed", "factor-claimed", "consumed"])).toEqual({
      outcome: "consumed",
      made: ["claim 40-79", "claim 80-119", "record, claim 0-39, fails", "release 40-79"],
    });
  });

  test("releases its rows where it certainly was not made, and keeps them where it may have been", async () => {
    const change = { ...CREATION, claim: rows(0, 130) };
    const releases = ["release 40-79", "release 80-119", "release 120-129"];
    for (const [error, released] of [
      [new NotCommitted("late"), releases],
      [new ChangeRefused("large"), releases],
      [new StorageUnavailable("outage"), []],
    ] as const) {
      const { outcome, made } = await outcomeOf(change, ["committed", "committed", "committed", error]);
      expect(outcome).toBe(error);
      expect(made.slice(4)).toEqual([...released]);
    }
  });

  test("is in doubt where its rows could not be released", async () => {
    const claimed: Outcome[] = ["committed", "committed"];
    for (const last of ["revision", new NotCommitted("late")] as const) {
      const cause = new NotCommitted("throttled");
      const outcomes = [...claimed, last, cause];
      const { outcome } = await outcomeOf({ ...CREATION, claim: rows(0, 120) }, outcomes);
      expect(outcome).toBeInstanceOf(StorageUnavailable);
      expect(outcome).toMatchObject({ cause });
      expect(isUnchanged(outcome)).toBe(false);
    }
  });

  test("of no record, or in the place of another, is one transaction", async () => {
    const claim = rows(0, 60);
    for (const change of [
      { ...CREATION, next: null, claim },
      { ...DELETION, next: record("b1"), claim, release: rows(100, 160) },
      { ...DELETION, claim },
    ])
      expect((await outcomeOf(change)).made).toHaveLength(1);
  });
});

describe("a deletion", () => {
  test("of as many rows as fit is one transaction", async () => {
    const change = { ...DELETION, release: [...rows(0, 40), main("3")] };
    expect((await outcomeOf(change)).made).toHaveLength(1);
  });

  test("of more releases the further ones afterwards, and none twice", async () => {
    const release = [...rows(0, 3), ...rows(0, 121)];
    expect(await outcomeOf({ ...DELETION, release }, ["committed", "exists"])).toEqual({
      outcome: "committed",
      made: ["deletion, release 0-39", "release 40-79", "release 80-119", "release 120-120"],
    });
  });

  test("is in doubt where its further rows could not be released", async () => {
    const cause = new NotCommitted("throttled");
    const { outcome } = await outcomeOf({ ...DELETION, release: rows(0, 60) }, ["committed", cause]);
    expect(outcome).toBeInstanceOf(StorageUnavailable);
    expect(outcome).toMatchObject({ cause });
    expect(isUnchanged(outcome)).toBe(false);
  });

  test("that conflicts releases nothing", async () => {
    expect(await outcomeOf({ ...DELETION, release: rows(0, 60) }, ["revision"])).toEqual({
      outcome: "revision",
      made: ["deletion, release 0-39"],
    });
  });
});
