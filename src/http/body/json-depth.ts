const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING = [0x5b, 0x7b];
const CLOSING = [0x5d, 0x7d];

/**
 * Whether a JSON text nests arrays and objects deeper than `maxDepth`. Meaningless for a text that is not JSON. Depth is
 * measured before the text is parsed, because recursion over a deep value overflows the stack, and printing it takes
 * time quadratic in its depth.
 */
export function isNestedDeeper(text: string, maxDepth: number): boolean {
  let depth = 0;
  let quoted = false;
  for (let position = 0; position < text.length; position++) {
    const unit = text.charCodeAt(position);
    if (quoted && unit === BACKSLASH) position++;
    else if (unit === QUOTE) quoted = !quoted;
    else if (!quoted && OPENING.includes(unit) && ++depth > maxDepth) return true;
    else if (!quoted && CLOSING.includes(unit)) depth--;
  }
  return false;
}
