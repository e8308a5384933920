/** Runs a target on inputs that a seed chooses, guided by the outcomes: what leads to a new one is mutated further. */
import type { Report } from "../../crash/report.ts";
import { pseudoRandom } from "../../support/pseudo-random.ts";
import { mutated } from "./mutations.ts";
import { ACCEPTED, Dice, type Target } from "./target.ts";

export interface TargetOptions {
  readonly cases: number;
  readonly seed: number;
  /** Called before each case. */
  readonly onCase?: (count: number, input: Uint8Array) => void;
}

export interface TargetReport extends Report {
  readonly accepted: number;
  /** How many outcomes there were. */
  readonly outcomes: number;
}

/** More outcomes are counted, but add nothing to the corpus: a message may quote the input. */
const MAX_FOUND = 400;
/** A parser that breaks its promise breaks it often. */
const MAX_FAILURES = 5;
const SHOWN_BYTES = 600;

/** Runs the cases; fewer where the target fails again and again. */
export async function fuzzTarget(
  target: Target,
  { cases, seed, onCase }: TargetOptions,
): Promise<TargetReport> {
  const { name, corpus, dictionary, generate, run } = target;
  const dice = new Dice(pseudoRandom(seed));
  const pieces = { corpus: [...corpus], dictionary };
  const outcomes = new Map<string, number>();
  const failures: string[] = [];
  let count = 0;
  while (count < cases && failures.length < MAX_FAILURES) {
    count++;
    const input = inputFor(dice);
    onCase?.(count, input);
    try {
      const running = run(input, dice);
      const outcome = typeof running === "string" ? running : await running;
      const before = outcomes.get(outcome) ?? 0;
      outcomes.set(outcome, before + 1);
      if (before === 0 && pieces.corpus.length < corpus.length + MAX_FOUND) pieces.corpus.push(input);
    } catch (error) {
      failures.push(`${name}, seed ${seed}, case ${count}: ${error}; the input is ${shown(input)}`);
    }
  }
  return { cases: count, failures, accepted: outcomes.get(ACCEPTED) ?? 0, outcomes: outcomes.size };

  function inputFor(dice: Dice): Uint8Array {
    if (generate === undefined || dice.oneIn(2)) return mutated(dice, pieces);
    const input = generate(dice);
    return dice.oneIn(2) ? input : mutated(dice, pieces, input);
  }
}

/** As an expression that makes the input. */
export function shown(input: Uint8Array): string {
  const hex = Buffer.from(input.subarray(0, SHOWN_BYTES)).toString("hex");
  const rest = input.length > SHOWN_BYTES ? ` and ${input.length - SHOWN_BYTES} bytes more` : "";
  return `Buffer.from("${hex}", "hex")${rest} (${JSON.stringify(Buffer.from(input.subarray(0, 120)).toString())})`;
}
