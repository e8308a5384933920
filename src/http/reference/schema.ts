/**
 * Schemas of the protocol in the words that OpenAPI 3.1 and the generators of clients share: `enum` with one value for a
 * constant, `oneOf` with a discriminator for a union by `kind`, `null` as a second type.
 */
import { type TSchema, TypeGuard } from "@sinclair/typebox";
import * as addFactor from "../../protocol/add-factor.ts";
import * as authorization from "../../protocol/authorization.ts";
import * as backup from "../../protocol/backup.ts";
import * as challenge from "../../protocol/challenge.ts";
import * as encryptionKey from "../../protocol/encryption-key.ts";
import * as errorBody from "../../protocol/error-body.ts";
import * as event from "../../protocol/event.ts";
import * as factor from "../../protocol/factor.ts";
import * as metadata from "../../protocol/metadata.ts";
import * as version from "../../protocol/version.ts";
import * as webauthn from "../../protocol/webauthn.ts";
import { component } from "./openapi.ts";

/** The part of JSON Schema 2020-12 that the document uses. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly maxItems?: number;
  readonly enum?: readonly (string | number | boolean | null)[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly discriminator?: {
    readonly propertyName: string;
    readonly mapping: Readonly<Record<string, string>>;
  };
  readonly format?: string;
  readonly contentMediaType?: string;
}

/** What TypeBox writes, besides: a schema as JSON. */
interface Written extends Omit<Schema, "properties" | "items" | "anyOf"> {
  readonly const?: string | number | boolean;
  readonly not?: object;
  readonly maxBytes?: number;
  readonly title?: string;
  readonly properties?: Readonly<Record<string, Written>>;
  readonly items?: Written;
  readonly anyOf?: readonly Written[];
}

const NULL: Schema = { type: "null" };

/** Enumerations that grow: a client must take values that it does not know. */
const OPEN = new Set(["ErrorCode"]);
/** What clients are to send, where the service reads more in order to say what is wrong. */
const DOCUMENTED_AS: Readonly<Record<string, string>> = { SyncAuthorization: "EcKeypairAuthorization" };
const NO_MEMBERS: Schema = { type: "object", description: "An empty object.", additionalProperties: true };

/** Every schema that the protocol exports, by its name there. */
const EXPORTED: Readonly<Record<string, unknown>> = Object.assign(
  {},
  ...[authorization, backup, challenge, encryptionKey, errorBody, event, factor, metadata, version],
  ...[webauthn, addFactor],
);

function plain(schema: TSchema): Schema {
  return inPlainWords(JSON.parse(JSON.stringify(schema)));
}

/** A schema without references, in the words of the document. */
function inPlainWords({ title, maxBytes, const: constant, not, ...schema }: Written): Schema {
  if (constant !== undefined) return { ...schema, enum: [constant] };
  if (not !== undefined) return { type: "object" }; // of an array that is always empty
  if (maxBytes !== undefined) {
    const bound = `At most ${maxBytes / 1024} KiB as JSON.`;
    return { type: "object", description: [schema.description, bound].filter(Boolean).join(" ") };
  }
  const { properties, items, anyOf, additionalProperties, ...rest } = schema;
  if (anyOf !== undefined) return union(anyOf.map(inPlainWords), rest);
  if (items !== undefined)
    return { ...rest, items: inPlainWords(items), ...(items.not === undefined ? {} : { maxItems: 0 }) };
  if (properties === undefined) return rest;
  if (Object.keys(properties).length === 0) return NO_MEMBERS;
  return {
    ...rest,
    properties: Object.fromEntries(
      Object.entries(properties).map(([name, property]) => [name, inPlainWords(property)]),
    ),
  };
}

function union(all: readonly Schema[], rest: Schema): Schema {
  const variants = all.filter(({ type }) => type !== "null");
  const [only] = variants;
  const values = variants.flatMap((variant) => variant.enum ?? []);
  const isEnum = values.length === variants.length && variants.every(({ type }) => type === "string");
  const joined: Schema = isEnum
    ? { type: "string", enum: values }
    : only !== undefined && variants.length === 1
      ? only
      : { oneOf: variants };
  if (variants.length === all.length) return { ...joined, ...rest };
  return { ...rest, anyOf: [joined, NULL] };
}

/** Gives each schema its name in the document, and collects the named ones. */
export class Components {
  readonly schemas: Record<string, Schema> = {};
  readonly #named = new Map<string, { readonly name: string; readonly schema: Schema }>();

  /** @param more named schemas besides those of the protocol. */
  constructor(more: Readonly<Record<string, TSchema>>) {
    const all = { ...EXPORTED, ...more };
    for (const [name, exported] of Object.entries(all)) {
      if (!TypeGuard.IsSchema(exported)) continue;
      const target = DOCUMENTED_AS[name] ?? name;
      const schema = plain(exported);
      const named = all[target];
      const known = this.#named.get(textOf(schema));
      if (known === undefined && TypeGuard.IsSchema(named))
        this.#named.set(textOf(schema), { name: target, schema: plain(named) });
    }
  }

  /** @param name what it is called if the protocol has no name for it. */
  schema(schema: TSchema, name: string): Schema {
    return this.#lift(plain(schema), name);
  }

  #lift(schema: Schema, hint: string): Schema {
    const [inner, second] = schema.anyOf ?? [];
    if (inner !== undefined && second?.type === "null") return this.#nullable(schema, inner, hint);
    const named = this.#named.get(textOf(schema));
    if (named !== undefined) return this.#component(named.name, named.schema);
    if (schema.properties !== undefined || schema.oneOf !== undefined) return this.#component(hint, schema);
    return this.#lifted(schema, hint);
  }

  #nullable({ anyOf, ...rest }: Schema, inner: Schema, hint: string): Schema {
    // a nullable text is written out: generators have no name for it anyway
    const lifted =
      typeof inner.type === "string" && inner.enum === undefined && inner.properties === undefined;
    const schema = lifted ? inner : this.#lift(inner, hint);
    if (schema.$ref !== undefined) return { ...rest, anyOf: [schema, NULL] };
    const nullable = { ...schema, ...rest, type: [String(schema.type), "null"] };
    return schema.enum === undefined ? nullable : { ...nullable, enum: [...schema.enum, null] };
  }

  #component(name: string, schema: Schema): Schema {
    const lifted = () => (OPEN.has(name) ? open(schema) : this.#lifted(schema, name));
    if (this.schemas[name] === undefined) {
      this.schemas[name] = {}; // its place, before that of its parts
      this.schemas[name] = lifted();
    } else if (textOf(this.schemas[name]) !== textOf(lifted()))
      throw new Error(`Two schemas are called ${name}`);
    return component("schemas", name);
  }

  #lifted(schema: Schema, name: string): Schema {
    const { properties, items, oneOf } = schema;
    if (items !== undefined) return { ...schema, items: this.#lift(items, name.replace(/s$/, "")) };
    if (properties !== undefined)
      return {
        ...schema,
        properties: Object.fromEntries(
          Object.entries(properties).map(([member, part]) => [
            member,
            this.#lift(part, name + pascal(member)),
          ]),
        ),
      };
    return oneOf === undefined ? schema : { ...schema, ...this.#variants(oneOf, name) };
  }

  #variants(variants: readonly Schema[], name: string): Schema {
    const kinds = variants.map(({ properties }) => properties?.kind?.enum?.[0]);
    const oneOf = variants.map((variant, index) => this.#lift(variant, pascal(String(kinds[index])) + name));
    if (kinds.includes(undefined)) return { oneOf };
    const mapping = Object.fromEntries(kinds.map((kind, index) => [kind, oneOf[index]?.$ref ?? ""]));
    return { oneOf, discriminator: { propertyName: "kind", mapping } };
  }
}

function open({ description = "", enum: values = [] }: Schema): Schema {
  return { description, anyOf: [{ type: "string", enum: values }, { type: "string" }] };
}

/** The same for schemas that differ in the order of their members only. */
function textOf(schema: Schema): string {
  return JSON.stringify(schema, (_, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

/** `OIDC_ACCOUNT` and `verify-factor` as `OidcAccount` and `VerifyFactor`; `syncFactor` as `SyncFactor`. */
export function pascal(name: string): string {
  return name
    .split(/[-_]/)
    .map((word) => (/^[A-Z]+$/.test(word) ? word.charAt(0) + word.slice(1).toLowerCase() : word))
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
}
