import { type ObjectOptions, type TProperties, type TSchema, Type } from "@sinclair/typebox";

/**
 * An object in a request. Unknown members are accepted and ignored: a client may be newer than the service.
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
