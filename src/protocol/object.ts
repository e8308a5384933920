import { type ObjectOptions, type TProperties, type TSchema, Type } from "@sinclair/typebox";

/**
 * An object of a request. Members that it does not name are let through and ignored: clients may be newer than we are.
 */
export function object<T extends TProperties>(properties: T, options: ObjectOptions = {}) {
  return Type.Object(properties, { additionalProperties: true, ...options });
}

/** A member that may be absent or `null`. */
export function optional<T extends TSchema>(schema: T) {
  return Type.Optional(
    Type.Union(
      [schema, Type.Null()],
      schema.description === undefined ? {} : { description: schema.description },
    ),
  );
}
