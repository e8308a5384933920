/** The routes of the API description, each with requests that match it. */
export interface DescribedRoute {
  readonly path: string;
  readonly kind: "json" | "multipart";
  /** Requests that match: first a plain one, then one for each variant of each member. */
  readonly shapes: readonly Json[];
}

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** The part of JSON Schema that the description uses. */
interface Schema {
  readonly $ref?: string;
  readonly enum?: readonly Json[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  /** A member that may be `null` has it as a second type. */
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

type Schemas = Readonly<Record<string, Schema>>;

interface Document {
  readonly components: { readonly schemas: Schemas };
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly requestBody?: { readonly content: Content } }>>>
  >;
}

type Content = Readonly<Record<string, { readonly schema: Schema; readonly example: Json }>>;

/** Every route with a request body, from `/openapi.json`. */
export async function describedRoutes(url: string): Promise<DescribedRoute[]> {
  const response = await fetch(`${url}/openapi.json`);
  const { paths, components } = (await response.json()) as Document;
  const { schemas } = components;
  return Object.entries(paths).flatMap(([path, methods]): DescribedRoute[] => {
    const content = methods.post?.requestBody?.content;
    const json = content?.["application/json"];
    if (json !== undefined)
      return [{ path, kind: "json", shapes: shapesOf(json.example, json.schema, schemas) }];
    const form = content?.["multipart/form-data"];
    const schema = form?.schema.properties?.payload;
    if (schema === undefined || !isObject(form?.example)) return [];
    return [{ path, kind: "multipart", shapes: shapesOf(form.example.payload ?? null, schema, schemas) }];
  });
}

function shapesOf(plain: Json, schema: Schema, schemas: Schemas): Json[] {
  const { properties = {} } = resolved(schema, schemas);
  const variants = Object.entries(properties).flatMap(([name, property]) =>
    variantsOf(property, schemas).map((variant) => ({
      ...(isObject(plain) ? plain : {}),
      [name]: instanceOf(variant, schemas),
    })),
  );
  return [plain, ...variants];
}

function resolved(schema: Schema, schemas: Schemas): Schema {
  const { $ref } = schema;
  if ($ref === undefined) return schema;
  const target = schemas[$ref.split("/").at(-1) ?? ""];
  if (target === undefined) throw new Error(`The document has no ${$ref}`);
  return resolved(target, schemas);
}

/** Of a union its members, of a value that may be `null` also that. */
function variantsOf(schema: Schema, schemas: Schemas): readonly Schema[] {
  const { type, anyOf, oneOf } = resolved(schema, schemas);
  if (Array.isArray(type)) return type.map((one) => ({ ...schema, type: one }));
  return (anyOf ?? oneOf ?? []).flatMap((variant) => {
    const nested = variantsOf(variant, schemas);
    return nested.length === 0 ? [variant] : nested;
  });
}

/** A value that matches a schema. */
function instanceOf(schema: Schema, schemas: Schemas): Json {
  const { enum: values, anyOf, oneOf, type, properties } = resolved(schema, schemas);
  if (type === "null") return null;
  if (values?.[0] !== undefined) return values[0];
  if (properties !== undefined)
    return Object.fromEntries(
      Object.entries(properties).map(([name, member]) => [name, instanceOf(member, schemas)]),
    );
  const [first] = anyOf ?? oneOf ?? [];
  if (first !== undefined) return instanceOf(first, schemas);
  if (type === "integer") return 1;
  return type === "object" ? {} : "text";
}

/** The path of every member of a value, from the whole value to the leaves. */
export function placesIn(value: Json): (readonly string[])[] {
  const members = Array.isArray(value) || isObject(value) ? Object.entries(value) : [];
  return [
    [],
    ...members.flatMap(([name, member]: [string, Json]) => placesIn(member).map((place) => [name, ...place])),
  ];
}

const MARK = "@@here@@";

/** The JSON text of a value, with `replacement` at `place`. */
export function textWith(value: Json, place: readonly string[], replacement: string): string {
  return JSON.stringify(marked(value, place)).replace(JSON.stringify(MARK), () => replacement);
}

function marked(value: Json, [name, ...rest]: readonly string[]): Json {
  if (name === undefined) return MARK;
  if (Array.isArray(value))
    return value.map((item, index) => (String(index) === name ? marked(item, rest) : item));
  return isObject(value) ? { ...value, [name]: marked(value[name] ?? null, rest) } : MARK;
}

export function isObject(value: unknown): value is { readonly [name: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
