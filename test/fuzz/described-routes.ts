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
  readonly const?: Json;
  readonly anyOf?: readonly Schema[];
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
}

interface Document {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly requestBody?: { readonly content: Content } }>>>
  >;
}

type Content = Readonly<Record<string, { readonly schema: Schema; readonly example: Json }>>;

/** Every route with a request body, from `/openapi.json`. */
export async function describedRoutes(url: string): Promise<DescribedRoute[]> {
  const response = await fetch(`${url}/openapi.json`);
  const { paths } = (await response.json()) as Document;
  return Object.entries(paths).flatMap(([path, methods]): DescribedRoute[] => {
    const content = methods.post?.requestBody?.content;
    const json = content?.["application/json"];
    if (json !== undefined) return [{ path, kind: "json", shapes: shapesOf(json.example, json.schema) }];
    const form = content?.["multipart/form-data"];
    const schema = form?.schema.properties?.payload;
    if (schema === undefined || !isObject(form?.example)) return [];
    return [{ path, kind: "multipart", shapes: shapesOf(form.example.payload ?? null, schema) }];
  });
}

function shapesOf(plain: Json, { properties = {} }: Schema): Json[] {
  const variants = Object.entries(properties).flatMap(([name, { anyOf = [] }]) =>
    anyOf.map((variant) => ({ ...(isObject(plain) ? plain : {}), [name]: instanceOf(variant) })),
  );
  return [plain, ...variants];
}

/** A value that matches a schema. */
function instanceOf({ const: constant, anyOf, type, properties }: Schema): Json {
  if (constant !== undefined) return constant;
  if (properties !== undefined)
    return Object.fromEntries(Object.entries(properties).map(([name, member]) => [name, instanceOf(member)]));
  if (anyOf?.[0] !== undefined) return instanceOf(anyOf[0]);
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
