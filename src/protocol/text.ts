/** Strings and opaque JSON with bounded size. */
import { Kind, type SchemaOptions, type TUnsafe, Type, TypeRegistry } from "@sinclair/typebox";

export const KIB = 1024;

/**
 * Only the length of these is validated. A `pattern` among the options is for readers and generated clients: what does not
 * fit it is refused by the proof, with a code of its own.
 */

/** A kind of string whose length `fits` checks against a bound. */
function textKind(kind: string, fits: (value: string, max: number) => boolean) {
  TypeRegistry.Set<{ maxLength: number }>(
    kind,
    ({ maxLength }, value) => typeof value === "string" && fits(value, maxLength),
  );
  return (maxLength: number, options: SchemaOptions = {}): TUnsafe<string> =>
    Type.Unsafe<string>({ ...options, [Kind]: kind, type: "string", maxLength });
}

/** The most bytes that a UTF-16 code unit takes in UTF-8; a surrogate pair takes four. */
const MAX_UTF8_BYTES_PER_UNIT = 3;
/** The most bytes that a UTF-16 code unit takes as JSON: an escaped control character. */
const MAX_JSON_BYTES_PER_UNIT = 6;
const utf8 = new TextEncoder();

/** Encodes a text only if its length in code units does not decide. A lone surrogate counts as U+FFFD. */
function fitsInUtf8(value: string, maxBytes: number): boolean {
  if (value.length * MAX_UTF8_BYTES_PER_UNIT <= maxBytes) return true;
  return value.length <= maxBytes && utf8.encode(value).length <= maxBytes;
}

/** A text of at most `maxLength` bytes in UTF-8. */
export const boundedText = textKind("BoundedText", fitsInUtf8);

/** Any string that has no narrower bound. */
export function text(options: SchemaOptions = {}) {
  return boundedText(4 * KIB, options);
}

/**
 * A text that is stored with a backup, of at most `maxLength` bytes as JSON, with all escapes: a backup's metadata has
 * to fit into one record.
 */
export const storedText = textKind(
  "StoredText",
  (value, maxBytes) =>
    value.length * MAX_JSON_BYTES_PER_UNIT <= maxBytes ||
    fitsInUtf8(JSON.stringify(value), maxBytes + '""'.length),
);

/** A text of at most `maxLength` code points (JavaScript's `length` counts UTF-16 code units). */
export const characters = textKind(
  "Characters",
  (value, max) => value.length <= max || [...value].length <= max,
);

/** A JSON object of at most `maxBytes` as compact JSON, otherwise opaque. */
export function boundedJson(maxBytes: number, options: SchemaOptions = {}): TUnsafe<object> {
  return Type.Unsafe<object>({ ...options, [Kind]: "BoundedJson", type: "object", maxBytes });
}
TypeRegistry.Set<{ maxBytes: number }>(
  "BoundedJson",
  ({ maxBytes }, value) =>
    typeof value === "object" && value !== null && fitsInUtf8(JSON.stringify(value), maxBytes),
);
