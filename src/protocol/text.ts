/** Strings and opaque JSON with a bound on their size. */
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
 * A text that is kept with a backup, of at most `maxBytes` as the JSON that it is kept as: what is kept of a backup has
 * to fit into one record, with all escapes.
 */
export function keptText(maxBytes: number, options: SchemaOptions = {}): TUnsafe<string> {
  return Type.Unsafe<string>({ ...options, [Kind]: "KeptText", type: "string", maxLength: maxBytes });
}
/** The most a UTF-16 code unit takes as JSON: a control character's escape. */
const MAX_JSON_BYTES_PER_UNIT = 6;
TypeRegistry.Set<{ maxLength: number }>(
  "KeptText",
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

/** A text of at most `maxCharacters`, which are code points: what a person counts, not what JavaScript does. */
export function characters(maxCharacters: number, options: SchemaOptions = {}): TUnsafe<string> {
  return Type.Unsafe<string>({ ...options, [Kind]: "Characters", type: "string", maxLength: maxCharacters });
}
TypeRegistry.Set<{ maxLength: number }>(
  "Characters",
  ({ maxLength }, value) =>
    typeof value === "string" && (value.length <= maxLength || [...value].length <= maxLength),
);

/** The most a UTF-16 code unit takes in UTF-8; two units that are a pair take four bytes. */
const MAX_UTF8_BYTES_PER_UNIT = 3;
const utf8 = new TextEncoder();

/** Encodes only a text whose length in code units does not decide it. A lone surrogate counts as U+FFFD. */
function fitsInUtf8(value: string, maxBytes: number): boolean {
  if (value.length * MAX_UTF8_BYTES_PER_UNIT <= maxBytes) return true;
  return value.length <= maxBytes && utf8.encode(value).length <= maxBytes;
}
