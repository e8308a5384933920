/** A parser of foreign bytes as the campaigns call it. */
import { ServiceError, statusOf } from "../../../src/errors.ts";

export interface Target {
  readonly name: string;
  /** Valid inputs, and inputs with an edge: the others are made from them. */
  readonly corpus: readonly Uint8Array[];
  /** Pieces with a meaning to the parser, which mutations insert. */
  readonly dictionary: readonly Uint8Array[];
  /** Of so many cases the target has one; 1 where not given. */
  readonly oneIn?: number;
  /** An input by the grammar of the parser; where not given, all inputs are mutations. */
  readonly generate?: (dice: Dice) => Uint8Array;
  /**
   * Parses an input and compares the result with an oracle.
   *
   * @returns the outcome: {@link ACCEPTED}, or why the input was refused. An input with a new outcome joins the corpus.
   * @throws Error where the parser does not do what it promises.
   */
  readonly run: (input: Uint8Array, dice: Dice) => string | Promise<string>;
}

export const ACCEPTED = "accepted";

/** A case is a whole call of a store, which takes as long as twenty others. */
export const ONE_IN_OF_STORES = 20;
/** What an operator writes: no attacker chooses it, and it is read once, at the start. */
export const ONE_IN_OF_OPERATORS = 20;

/** How many cases a target has in a campaign of so many. */
export function casesOf({ oneIn = 1 }: Target, cases: number): number {
  return Math.ceil(cases / oneIn);
}

/** Choices that a seed makes. */
export class Dice {
  readonly #next: () => number;

  constructor(next: () => number) {
    this.#next = next;
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    return this.#next() % limit;
  }

  /** Whether one of `sides` came up. */
  oneIn(sides: number): boolean {
    return this.below(sides) === 0;
  }

  of<T>(items: readonly [T, ...T[]]): T {
    return items[this.below(items.length)] ?? items[0];
  }
}

const utf8 = new TextEncoder();

export function bytesOf(...texts: readonly string[]): Uint8Array[] {
  return texts.map((text) => utf8.encode(text));
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export function textOf(input: Uint8Array): string {
  return decoder.decode(input);
}

/** What the promise about a parser did not hold for. */
export class Broken extends Error {
  override name = "Broken";
}

export function requireThat(holds: boolean, broken: string): void {
  if (!holds) throw new Broken(broken);
}

/** The code of an error of the client, and what caused it; anything else is thrown on. */
function refusalOf(error: unknown): string {
  if (!(error instanceof ServiceError) || statusOf(error.code) >= 500) throw error;
  const { code, message, cause } = error;
  return `${code}: ${kindOf(cause instanceof Error ? cause.message : message)}`;
}

/** A message without what it may quote of the input. */
export function kindOf(message: string): string {
  return message.replace(/[0-9]+/g, "N").replace(/["'`<].*["'`>]|(?<=identifier|token|character) .*/gs, "…");
}

/** As {@link refusalOf}, for an act: {@link ACCEPTED} if it returns. */
export function outcomeOf(act: () => unknown): string {
  try {
    act();
    return ACCEPTED;
  } catch (error) {
    return refusalOf(error);
  }
}

export async function outcomeOfAsync(act: () => Promise<unknown>): Promise<string> {
  try {
    await act();
    return ACCEPTED;
  } catch (error) {
    return refusalOf(error);
  }
}
