/** The document in the words of OpenAPI 3.0, for tools that know no later version. */

/** A copy of a 3.1 document as 3.0.3. */
export function asOpenApi30(document: DocumentWithSchemas): object {
  const older = rewritten(document, document.components.schemas);
  return { ...(isObject(older) ? older : {}), openapi: "3.0.3" };
}

type Schemas = Readonly<Record<string, { readonly type?: unknown }>>;

interface DocumentWithSchemas {
  readonly components: { readonly schemas: Schemas };
}

function rewritten(value: unknown, schemas: Schemas, key = ""): unknown {
  // an example is data, not a schema
  if (key === "example" || key === "value") return value;
  if (Array.isArray(value)) return value.map((item) => rewritten(item, schemas));
  if (!isObject(value)) return value;
  const { identifier, contentMediaType, type, anyOf, ...rest } = value;
  const parts = Object.fromEntries(
    Object.entries(rest).map(([name, part]) => [name, rewritten(part, schemas, name)]),
  );
  if (identifier === "MIT") return { ...parts, url: "https://opensource.org/license/mit" };
  const [first, second] = Array.isArray(anyOf) ? anyOf : [];
  if (isObject(first) && isObject(second) && second.type === "null") {
    const { type: typeOfTarget = "object" } = schemas[String(first.$ref).split("/").at(-1) ?? ""] ?? {};
    return { ...parts, type: typeOfTarget, nullable: true, allOf: [first] }; // nullable needs a type
  }
  // a text that is often one of these: the generators of 3.0 make a class of such a union
  if (isObject(first) && isObject(second) && Array.isArray(first.enum) && second.type === "string")
    return { ...parts, type: "string", "x-extensible-enum": first.enum };
  // an empty object, as a map of strings: every generator can make one and send it
  if (parts.additionalProperties === true)
    return { ...parts, type, additionalProperties: { type: "string" } };
  if (Array.isArray(type)) return { ...parts, type: type.find((name) => name !== "null"), nullable: true };
  return {
    ...parts,
    ...(type === undefined ? {} : { type: rewritten(type, schemas) }),
    ...(anyOf === undefined ? {} : { anyOf: rewritten(anyOf, schemas) }),
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
