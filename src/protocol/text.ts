/** Strings and opaque JSON with bounded size. */
import { Kind, type SchemaOptions, type TUnsafe, Type, TypeRegistry } from "@sinclair/typebox";

export const KIB = 1024;

/** A text of at most `maxBytes` in UTF-8. */
export function boundedText(maxBytes: number, options: SchemaOptions = {}): TUnsafe<string> {
  return Type.Unsafe<string>({ ...options, [Kind]: "BoundedText", type: "string", maxLength: maxBytes });
}
TypeRegistry.Set<{ maxLength: number }>(
  "BoundedText",
  ({ maxLength }, value) => typeof value === "string" && fitsInUtf8(value, maxLength),
);

/** Any string that has no narrower bound. */
export function text(options: SchemaOptions = {}) {
  return boundedText(4 * KIB, options);
}

/**
 * A text that is stored with a backup, of at most `maxBytes` as JSON, with all escapes: a backup's metadata has to fit
 * into one record.
 */
export function storedText(maxBytes: number, options: SchemaOptions = {}): TUnsafe<string> {
  return Type.Unsafe<string>({ ...options, [Kind]: "StoredText", type: "string", maxLength: maxBytes });
}
/** The most bytes that a UTF-16 code unit takes as JSON: an escaped control character. */
const MAX_JSON_BYTES_PER_UNIT = 6;
TypeRegistry.Set<{ maxLength: number }>(
  "StoredText",
  ({ maxLength }, value) =>
    typeof value === "string" &&
    (value.length * MAX_JSON_BYTES_PER_UNIT <= maxLength ||
      fitsInUtf8(JSON.stringify(value), maxLength + '""'.length)),
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

/** A text of at most `maxCharacters` code points (JavaScript's `length` counts UTF-16 code units). */
export function characters(maxCharacters: number, options: SchemaOptions = {}): TUnsafe<string> {
  return Type.Unsafe<string>({ ...options, [Kind]: "Characters", type: "string", maxLength: maxCharacters });
}
TypeRegistry.Set<{ maxLength: number }>(
  "Characters",
  ({ maxLength }, value) =>
    typeof value === "string" && (value.length <= maxLength || [...value].length <= maxLength),
);

/** The most bytes that a UTF-16 code unit takes in UTF-8; a surrogate pair takes four. */
const MAX_UTF8_BYTES_PER_UNIT = 3;
const utf8 = new TextEncoder();

/** Encodes a text only if its length in code units does not decide. A lone surrogate counts as U+FFFD. */
function fitsInUtf8(value: string, maxBytes: number): boolean {
  if (value.length * MAX_UTF8_BYTES_PER_UNIT <= maxBytes) return true;
  return value.length <= maxBytes && utf8.encode(value).length <= maxBytes;
}
