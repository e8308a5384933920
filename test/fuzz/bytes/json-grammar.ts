/** JSON texts of random shape: white space, escapes, repeated names and numbers at the edges included. */
import type { Dice } from "./target.ts";

const NUMBERS = [
  ...[
    "0",
    "-0",
    "1",
    "-1",
    "1.0",
    "1.50",
    "1e5",
    "1E+2",
    "1e-7",
    "0.00001",
    "0.000009",
    "1e15",
    "1e16",
    "1e17",
  ],
  ...[
    "9007199254740993",
    "18446744073709551616",
    "1e308",
    "1e309",
    "5e-324",
    "123456789012345680000",
    "0.1",
    "4.35",
  ],
] as const;
const TEXTS = [
  ...[
    "a",
    "b",
    "",
    "10",
    "9",
    "é",
    "\\u00e9",
    "\\ud83d\\ude00",
    "😀",
    "\\ud800",
    "\\n",
    "\\u0000",
    "\\/",
    '\\"',
  ],
  ...["__proto__", "toString", "length", "kind", "\uffff", "\ue000", "𐀀", "\u2028", "<", "\u007f"],
] as const;
const SPACES = ["", "", "", " ", "\n", "\t\r\n"] as const;

type Choices = readonly [string, ...string[]];
const numbers: Choices = ["0", ...NUMBERS];
const texts: Choices = ["a", ...TEXTS];
const MAX_LEVELS = 5;

export function randomJson(dice: Dice, names: Choices = texts, levels = 0): string {
  const space = dice.of(SPACES);
  return `${space}${value(dice, names, levels)}${dice.of(SPACES)}`;
}

function value(dice: Dice, names: Choices, levels: number): string {
  switch (dice.below(levels < MAX_LEVELS ? 8 : 5)) {
    case 0:
      return dice.of(["null", "true", "false"]);
    case 1:
      return dice.of(numbers);
    case 2:
      return `${dice.oneIn(2) ? "-" : ""}${dice.below(2 ** 31)}${dice.oneIn(2) ? `.${dice.below(2 ** 31)}` : ""}${
        dice.oneIn(3) ? `e${dice.below(60) - 30}` : ""
      }`;
    case 3:
    case 4:
      return `"${dice.of(texts)}${dice.of(texts)}"`;
    case 5:
      return `[${several(dice, () => randomJson(dice, names, levels + 1))}]`;
    default:
      return `{${several(dice, () => `${dice.of(SPACES)}"${dice.of(names)}":${randomJson(dice, names, levels + 1)}`)}}`;
  }
}

function several(dice: Dice, one: () => string): string {
  return Array.from({ length: dice.below(5) }, one).join(",");
}
