import type { TSchema } from "@sinclair/typebox";
import { Value, type ValueError, ValueErrorType } from "@sinclair/typebox/value";
import { ServiceError } from "../errors.ts";

/** A well-formed JSON body whose members are missing or wrong: `invalid_payload`, but not with its usual status. */
export const SCHEMA_MISMATCH_STATUS = 422;

/** A body that is JSON and does not fit its schema. */
export class SchemaMismatch extends ServiceError {
  constructor(message: string) {
    super("invalid_payload", message);
    this.name = "SchemaMismatch";
  }
}

/**
 * Where a value first differs from its schema, as a JSON pointer (RFC 6901), and how. Never quotes the value.
 *
 * Of a union, only the variant of the value's `kind` is compared, so that the pointer names the wrong member and not the
 * whole object.
 */
export function describeMismatch(schema: TSchema, value: unknown): string {
  const { pointer, message } = firstMismatch(schema, value, "");
  return `${pointer === "" ? "the whole value" : pointer}: ${message}`;
}

function firstMismatch(schema: TSchema, value: unknown, base: string): { pointer: string; message: string } {
  const error = Value.Errors(schema, value).First();
  if (error === undefined) return { pointer: base, message: "Unexpected value" };
  const pointer = base + error.path;
  const variant = variantOf(error.schema, error.value);
  return variant === null
    ? { pointer, message: messageOf(error) }
    : firstMismatch(variant, error.value, pointer);
}

function variantOf(schema: TSchema, value: unknown): TSchema | null {
  const variants: readonly TSchema[] = (schema.anyOf ?? []).filter(
    (variant: TSchema) => variant.type !== "null",
  );
  if (variants.length === 1) return variants[0] ?? null;
  if (typeof value !== "object" || value === null || !("kind" in value)) return null;
  return variants.find((variant) => variant.properties?.kind?.const === value.kind) ?? null;
}

/** The library has no message for our own kinds of schema. */
function messageOf(error: ValueError): string {
  return error.type === ValueErrorType.Kind ? "Expected a value of its type and size" : error.message;
}
