/** JSON that every reader reads alike. */

/** Readers that recurse refuse deeper nesting, and this service could not write it again. */
const MAX_DEPTH = 128;

/**
 * Why a JSON text is not read alike everywhere, as an end of "the metadata …"; `null` where it is. Of a member that is
 * there twice some readers take the first, some the last, some neither.
 *
 * @param text was parsed before: what is no JSON gives no result.
 */
export function ambiguityIn(text: string): string | null {
  /** The names in each object around; `null` for an array. */
  const around: (Set<string> | null)[] = [];
  let isNameNext = false;
  for (let at = 0; at < text.length; at++)
    switch (text[at]) {
      case "{":
      case "[":
        isNameNext = text[at] === "{";
        if (around.push(isNameNext ? new Set() : null) > MAX_DEPTH) return "is nested too deeply";
        break;
      case "}":
      case "]":
        around.pop();
        break;
      case ",":
        isNameNext = around.at(-1) != null;
        break;
      case '"': {
        const end = endOfString(text, at);
        const names = around.at(-1);
        if (isNameNext && names != null) {
          const name: string = JSON.parse(text.slice(at, end));
          if (names.has(name)) return "has a member twice";
          names.add(name);
        }
        isNameNext = false;
        at = end - 1;
      }
    }
  return null;
}

/** The index behind the closing quotation mark. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (; at < text.length && text[at] !== '"'; at++) if (text[at] === "\\") at += 1;
  return at + 1;
}
