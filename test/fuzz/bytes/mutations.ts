/** Inputs made from others: a few changes that parsers have stumbled over. */
import type { Dice } from "./target.ts";

/** Bytes at the edges of what lengths, signs and types take. */
const EDGES = [0x00, 0x01, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xfe, 0xff, 0x20, 0x22, 0x0d, 0x0a] as const;
const MAX_BYTES = 4 * 1024;
const MAX_CHANGES = 4;

type Change = (input: Uint8Array, dice: Dice, pieces: Pieces) => Uint8Array;

export interface Pieces {
  readonly corpus: readonly Uint8Array[];
  readonly dictionary: readonly Uint8Array[];
}

const NOTHING = new Uint8Array();

const CHANGES: readonly [Change, ...Change[]] = [
  function flipBit(input, dice) {
    return withByte(input, dice, (byte) => byte ^ (1 << dice.below(8)));
  },
  function setEdge(input, dice) {
    return withByte(input, dice, () => dice.of(EDGES));
  },
  function addLittle(input, dice) {
    return withByte(input, dice, (byte) => byte + dice.below(33) - 16);
  },
  function insertByte(input, dice) {
    return spliced(input, position(input, dice), 0, Uint8Array.of(dice.below(256)));
  },
  function insertPiece(input, dice, { dictionary }) {
    return spliced(input, position(input, dice), 0, pick(dictionary, dice));
  },
  function overwritePiece(input, dice, { dictionary }) {
    const piece = pick(dictionary, dice);
    return spliced(input, position(input, dice), piece.length, piece);
  },
  function removeRange(input, dice) {
    return spliced(input, position(input, dice), 1 + dice.below(dice.oneIn(4) ? 64 : 4), NOTHING);
  },
  function repeatRange(input, dice) {
    const start = position(input, dice);
    const range = input.subarray(start, start + 1 + dice.below(dice.oneIn(4) ? 64 : 4));
    const times = dice.oneIn(16) ? dice.below(64) : 1;
    return spliced(input, start, 0, repeated(range, times));
  },
  function truncate(input, dice) {
    return input.subarray(0, position(input, dice));
  },
  function joinOther(input, dice, { corpus }) {
    const other = pick(corpus, dice);
    return spliced(input, position(input, dice), input.length, other.subarray(position(other, dice)));
  },
];

/** An input of the corpus after up to four changes; now and then as it is, or random bytes. */
export function mutated(dice: Dice, pieces: Pieces, base = pick(pieces.corpus, dice)): Uint8Array {
  const kind = dice.below(64);
  if (kind === 0) return Uint8Array.from({ length: dice.below(64) }, () => dice.below(256));
  let input: Uint8Array = new Uint8Array(base); // the slices of a Buffer are no copies
  if (kind < 4) return input;
  for (let changes = 1 + dice.below(MAX_CHANGES); changes > 0; changes--)
    input = dice.of(CHANGES)(input, dice, pieces);
  return input.length > MAX_BYTES ? input.subarray(0, MAX_BYTES) : input;
}

function pick(items: readonly Uint8Array[], dice: Dice): Uint8Array {
  return items[dice.below(Math.max(1, items.length))] ?? NOTHING;
}

/** A position in the input, or behind its end. */
function position(input: Uint8Array, dice: Dice): number {
  return dice.below(input.length + 1);
}

function withByte(input: Uint8Array, dice: Dice, change: (byte: number) => number): Uint8Array {
  const changed = new Uint8Array(input);
  const at = dice.below(Math.max(1, input.length));
  if (at < changed.length) changed[at] = change(changed[at] ?? 0);
  return changed;
}

function spliced(input: Uint8Array, at: number, removed: number, added: Uint8Array): Uint8Array {
  const rest = input.subarray(Math.min(input.length, at + removed));
  const result = new Uint8Array(at + added.length + rest.length);
  result.set(input.subarray(0, at));
  result.set(added, at);
  result.set(rest, at + added.length);
  return result;
}

function repeated(range: Uint8Array, times: number): Uint8Array {
  const result = new Uint8Array(range.length * times);
  for (let time = 0; time < times; time++) result.set(range, time * range.length);
  return result;
}
