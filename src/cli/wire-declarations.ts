/** The types of the wire without TypeBox, from their schemas: the declarations of `client/wire.ts` in the built client. */
import type { TSchema } from "@sinclair/typebox";
import {
  Authorization,
  EcKeypairAuthorization,
  OidcProvider,
  OidcToken,
  PasskeyAuthorization,
} from "../protocol/authorization.ts";
import { EncryptionKey } from "../protocol/encryption-key.ts";
import { Event } from "../protocol/event.ts";
import { Scope } from "../protocol/factor.ts";
import { FactorSummary, Metadata } from "../protocol/metadata.ts";
import { Version } from "../protocol/version.ts";
import { CreationOptions, Platform, RequestOptions } from "../protocol/webauthn.ts";

const SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  Authorization,
  CreationOptions,
  EcKeypairAuthorization,
  EncryptionKey,
  Event,
  FactorSummary,
  Metadata,
  OidcProvider,
  OidcToken,
  PasskeyAuthorization,
  Platform,
  RequestOptions,
  Scope,
  Version,
};

/** What is read of a schema. */
interface JsonSchema extends Pick<TSchema, "description"> {
  readonly type?: string;
  readonly const?: unknown;
  readonly not?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
}

const PRIMITIVES: Readonly<Record<string, string>> = {
  string: "string",
  integer: "number",
  number: "number",
  boolean: "boolean",
  null: "null",
};

export function wireDeclarations(): string {
  return Object.entries(SCHEMAS)
    .map(([name, schema]) => `${comment(schema)}export type ${name} = ${typeOf(schema)};\n`)
    .join("\n");
}

/** The name of a schema that has one. */
function nameOf(schema: JsonSchema): string | undefined {
  return Object.entries(SCHEMAS).find(([, named]) => named === schema)?.[0];
}

function reference(schema: JsonSchema): string {
  return nameOf(schema) ?? typeOf(schema);
}

/** @throws Error for a schema that has no type here. */
function typeOf(schema: JsonSchema): string {
  const { type, anyOf, items, properties } = schema;
  if (anyOf !== undefined) return anyOf.map(reference).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (type === "array") return `(${items === undefined ? "unknown" : reference(items)})[]`;
  if (type === "object") return properties === undefined ? "object" : members(schema, properties);
  if (type !== undefined && type in PRIMITIVES) return PRIMITIVES[type] ?? type;
  if (schema.not !== undefined) return "never";
  if (type === undefined) return "unknown";
  throw new Error(`there is no type for ${JSON.stringify(schema)}`);
}

function members({ required = [] }: JsonSchema, properties: Readonly<Record<string, JsonSchema>>): string {
  const lines = Object.entries(properties).map(
    ([name, schema]) =>
      `${comment(schema)}${name}${required.includes(name) ? "" : "?"}: ${reference(schema)};\n`,
  );
  return `{\n${lines.join("").replaceAll(/^(?=.)/gm, "  ")}}`;
}

function comment({ description }: JsonSchema): string {
  return description === undefined ? "" : `/** ${description.replaceAll("*/", "* /")} */\n`;
}
