import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { createBackupClient } from "../../../src/client/backup-client.ts";
import { ERROR_CODES } from "../../../src/errors.ts";
import { ERROR_GUIDE } from "../../../src/http/reference/error-guide.ts";
import { generatedDocuments, scalarLicence, scalarScript } from "../../../src/http/reference/generate.ts";
import { namedOperations } from "../../../src/protocol/named-operations.ts";
import { routes } from "../../../src/routes/index.ts";
import { version } from "../../../src/runtime/version.ts";
import { DRIVERS } from "../../drivers.ts";
import { startService } from "../../support/service.ts";
import { sharedService } from "../../support/shared-service.ts";

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly discriminator?: { readonly mapping: Readonly<Record<string, string>> };
  readonly properties?: Readonly<Record<string, Schema>>;
}

interface Operation {
  readonly operationId: string;
  readonly description: string;
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
  };
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly links?: object;
        readonly headers?: Readonly<Record<string, object>>;
        readonly content?: object;
      }
    >
  >;
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly examples: Readonly<Record<string, { readonly summary: string; readonly description: string }>>;
  };
}

const FOLDER = join(import.meta.dir, "../../../src/http/reference");
const [driver] = DRIVERS;
if (driver === undefined) throw new Error("no driver");

const document = (await Bun.file(join(FOLDER, "openapi.json")).json()) as Document;
const { schemas, examples } = document.components;
const byId = new Map(
  Object.values(document.paths).flatMap((methods) =>
    Object.values(methods).map((operation) => [operation.operationId, operation] as const),
  ),
);

function operationCalled(id: string): Operation {
  const operation = byId.get(id);
  if (operation === undefined) throw new Error(`The document has no operation ${id}`);
  return operation;
}

/** Every object in a JSON value. */
function objectsIn(value: unknown): Readonly<Record<string, unknown>>[] {
  if (typeof value !== "object" || value === null) return [];
  const own = Array.isArray(value) ? [] : [value as Readonly<Record<string, unknown>>];
  return [...own, ...Object.values(value).flatMap(objectsIn)];
}

describe("the files of the OpenAPI document", () => {
  const service = sharedService(driver, { env: { APP_ENV: "development" } });

  test("are what `bun run openapi` writes", async () => {
    const written = await generatedDocuments(routes(service().services), version);
    for (const [name, text] of Object.entries(written)) {
      const file = await Bun.file(join(FOLDER, name)).text();
      expect(file === text, `${name} is stale: bun run openapi`).toBe(true);
    }
    expect(Object.keys(written)).toEqual(["openapi.json", "openapi-3.0.json"]);
  });

  test("and the script of the page are of the package in bun.lock", async () => {
    const file = await Bun.file(join(FOLDER, "scalar.js.gz")).bytes();
    const isCurrent = gunzipSync(file).toString() === (await scalarScript());
    expect(isCurrent, "scalar.js.gz is stale: bun run openapi").toBe(true);
    expect(await Bun.file(join(FOLDER, "scalar-licence.txt")).text()).toBe(await scalarLicence());
  });

  test("are served, without the routes that the service does not have", async () => {
    const served = async (url: string) => (await (await fetch(`${url}/openapi.json`)).json()) as Document;
    expect(await served(service().url)).toEqual(document);
    await using staging = await startService(driver, { env: { APP_ENV: "staging" } });
    const { "/dev/id-token": development, ...others } = document.paths;
    expect(development).toBeDefined();
    expect((await served(staging.url)).paths).toEqual(others);
  });

  test("keep to the words of their version", async () => {
    const older = (await Bun.file(join(FOLDER, "openapi-3.0.json")).json()) as Document;
    expect([document.openapi, older.openapi]).toEqual(["3.1.0", "3.0.3"]);
    expect(Object.keys(older.components.schemas)).toEqual(Object.keys(schemas));
    for (const [{ components, paths }, foreign] of [
      [document, ["nullable", "const", "maxBytes", "title"]],
      [older, ["const", "maxBytes", "contentMediaType", "identifier"]],
    ] as const)
      for (const object of objectsIn([components.schemas, paths]))
        for (const word of foreign) expect(Object.keys(object)).not.toContain(word);
    expect(older.components.schemas.ErrorCode).toMatchObject({
      type: "string",
      "x-extensible-enum": [...ERROR_CODES],
    });
    for (const { type } of objectsIn(older.components.schemas)) expect(Array.isArray(type)).toBe(false);
  });
});

describe("the OpenAPI document", () => {
  test("calls each operation as the client does", () => {
    const methods = Object.keys(createBackupClient({ url: "http://localhost" }));
    const others = ["addFactorChallenge", "health", "ready", "idToken"];
    const ids = [...byId.keys()].filter((id) => !/(Keypair|Passkey)Challenge$/.test(id));
    expect(ids.toSorted()).toEqual([...methods, ...others].toSorted());
    expect(byId.has("recoverKeypairChallenge")).toBe(true);
    expect(byId.has("undeletePasskeyChallenge")).toBe(true);
    expect(byId.size).toBe(Object.keys(document.paths).length);
  });

  test("has every union by kind as alternatives with names and a discriminator", () => {
    for (const name of ["Authorization", "OidcToken", "EncryptionKey", "ExportedFactorKind", "NewFactor"]) {
      const { oneOf = [], discriminator } = schemas[name] ?? {};
      expect(oneOf.length, name).toBeGreaterThan(1);
      expect(Object.values(discriminator?.mapping ?? {}), name).toEqual(oneOf.map(({ $ref = "" }) => $ref));
      for (const [kind, $ref] of Object.entries(discriminator?.mapping ?? {}))
        expect(schemas[$ref.split("/").at(-1) ?? ""]?.properties?.kind?.enum, $ref).toEqual([kind]);
    }
  });

  test("refers to every schema that it names, and names each once", () => {
    const used = new Set(objectsIn(document).flatMap(({ $ref }) => (typeof $ref === "string" ? [$ref] : [])));
    for (const name of Object.keys(schemas))
      expect(used.has(`#/components/schemas/${name}`), name).toBe(true);
    const shared = Object.entries(schemas).filter(([name]) => !/(Request|Response)$/.test(name));
    const texts = shared.map(([, schema]) => JSON.stringify(schema));
    expect(texts.filter((text, index) => texts.indexOf(text) !== index)).toEqual([]);
  });

  test("asks for a keypair where only a sync factor may sign", () => {
    const keypair = { $ref: "#/components/schemas/EcKeypairAuthorization" };
    for (const { name, wire } of namedOperations)
      if (wire.authorisedBy === "SYNC") {
        const content = Object.values(operationCalled(name).requestBody?.content ?? {})[0]?.schema;
        const { $ref = "" } = content?.properties?.payload ?? content ?? {};
        expect(schemas[$ref.split("/").at(-1) ?? ""]?.properties?.authorization, name).toEqual(keypair);
      }
    expect(schemas.CreateRequest?.properties?.initialSyncFactor).toEqual(keypair);
    expect(schemas.AddSyncFactorRequest?.properties?.syncFactor).toEqual(keypair);
  });

  test("says which bodies may be left out", () => {
    const optional = [...byId.values()].filter(({ requestBody }) => requestBody?.required === false);
    expect(optional.map(({ operationId }) => operationId).toSorted()).toEqual([
      "recoverPasskeyChallenge",
      "verifyPasskeyChallenge",
    ]);
  });

  test("links each challenge to its operation, and names it there", () => {
    for (const [id, { responses }] of byId) {
      const [linked] = Object.keys(responses[200]?.links ?? {});
      if (id.endsWith("Challenge")) expect(operationCalled(linked ?? id).description).toContain(`\`${id}\``);
    }
    for (const { name, wire } of namedOperations) {
      const takesProof = /challengeToken/i.test(JSON.stringify(wire.request));
      expect(operationCalled(name).description.includes("Its challenge: `"), name).toBe(takesProof);
    }
  });

  test("has the headers of responses", () => {
    for (const [id, { responses }] of byId)
      for (const [status, { headers = {} }] of Object.entries(responses)) {
        expect(Object.keys(headers), `${id} ${status}`).toContain("x-request-id");
        expect("retry-after" in headers, `${id} ${status}`).toBe(status === "429" || status === "503");
      }
  });

  test("says of every error code what it means and what an app does", () => {
    const { description = "", anyOf = [] } = schemas.ErrorCode ?? {};
    expect(anyOf[0]?.enum).toEqual([...ERROR_CODES]);
    expect(anyOf[1]).toEqual({ type: "string" }); // codes may be added
    for (const code of ERROR_CODES) {
      const { meaning, action } = ERROR_GUIDE[code];
      for (const sentence of [meaning, action]) expect(sentence, code).toMatch(/^[A-Z`].{10,}\.$/);
      expect(description).toContain(`| \`${code}\` |`);
      if (examples[code] !== undefined)
        expect(examples[code]).toMatchObject({ summary: meaning, description: action });
    }
    // no operation responds with it: it is for another method at its path
    expect(ERROR_CODES.filter((code) => examples[code] === undefined)).toEqual(["method_not_allowed"]);
  });
});
