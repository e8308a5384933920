const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING = [0x5b, 0x7b];
const CLOSING = [0x5d, 0x7d];

/**
 * Whether a JSON text nests arrays and objects deeper than `maxDepth`. What recurses over a value, or prints it
 * indented, takes time that grows with the square of its depth, or ends the stack; so depth is measured before the text
 * is parsed. Of a text that is not JSON the answer says nothing.
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
