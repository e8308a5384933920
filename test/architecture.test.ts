import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { Glob } from "bun";
import packageJson from "../package.json" with { type: "json" };
import type { CountedKind, WireOperation } from "../src/protocol/operation.ts";
import { operations } from "../src/protocol/operations.ts";

const ROOT = join(import.meta.dir, "..");

/** Who may import whom, by the first folder under src (or the file at its top). Every room may use `runtime` and `errors.ts`. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  runtime: [],
  "errors.ts": [],
  protocol: [],
  crypto: [],
  config: ["crypto"],
  storage: ["config"],
  proofs: ["protocol", "crypto", "config"],
  backups: ["protocol", "crypto", "proofs", "storage/contract.ts", "storage/legacy.ts"],
  limits: ["protocol", "config", "storage/contract.ts"],
  maintenance: [
    "protocol",
    "backups",
    "crypto",
    "storage/app-scope.ts",
    "storage/contract.ts",
    "storage/inspection.ts",
    "storage/legacy.ts",
  ],
  webhooks: ["crypto", "config", "storage/app-scope.ts", "storage/contract.ts", "storage/outbox.ts"],
  telemetry: ["config", "storage/contract.ts", "storage/legacy.ts", "storage/outbox.ts"],
  client: ["protocol"],
  playground: ["protocol", "client"],
  http: ["protocol", "crypto", "proofs", "limits", "telemetry", "services.ts", "app.ts"],
  routes: ["protocol", "crypto", "proofs", "backups", "http", "storage/contract.ts", "services.ts"],
  cli: [
    ...["protocol", "crypto", "proofs", "storage", "config", "maintenance", "client", "http", "routes"],
    ...["services.ts", "main.ts"],
  ],
  "services.ts": [
    ...["proofs", "backups", "config", "limits", "maintenance", "storage", "telemetry", "webhooks"],
    "app-services.ts",
  ],
  "app-services.ts": ["proofs", "backups", "config", "limits", "maintenance", "storage", "telemetry"],
  "app.ts": ["http", "routes", "services.ts"],
  "main.ts": ["app.ts", "config", "http", "maintenance", "services.ts"],
};

/** Packages that belong to one part. */
const PACKAGE_HOMES: Readonly<Record<string, RegExp>> = {
  elysia: /^(app\.ts|http\/|routes\/)/,
  "@elysiajs/swagger": /^http\/reference\//,
  "@aws-sdk/client-s3": /^storage\/aws\//,
  "@aws-sdk/client-dynamodb": /^storage\/aws\//,
  "@smithy/core": /^storage\/aws\/direct\//,
  "@smithy/types": /^storage\/aws\/direct\//,
  "bun:sqlite": /^storage\/local\//,
  "drizzle-orm": /^storage\/local\//,
  jose: /^proofs\//,
  "@levischuck/tiny-cbor": /^proofs\/passkey\//,
  "@opentelemetry/api": /^telemetry\//,
  "@opentelemetry/core": /^telemetry\//,
  "@opentelemetry/otlp-transformer": /^telemetry\//,
  "@opentelemetry/resources": /^telemetry\//,
  "@opentelemetry/sdk-trace": /^telemetry\//,
  pino: /^telemetry\//,
  "prom-client": /^telemetry\//,
};

interface Source {
  /** Below src. */
  readonly file: string;
  readonly text: string;
  /** Our files it imports, below src. */
  readonly ours: readonly string[];
  readonly packages: readonly string[];
}

const sources: readonly Source[] = await Promise.all(
  [...new Glob("**/*.ts").scanSync(join(ROOT, "src"))].map(async (file) => {
    const text = await Bun.file(join(ROOT, "src", file)).text();
    const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map(
      ([, specifier = ""]) => specifier,
    );
    return {
      file,
      text,
      ours: specifiers
        .filter((specifier) => specifier.startsWith("."))
        .map((specifier) => normalize(join(dirname(file), specifier))),
      packages: specifiers.filter((specifier) => !specifier.startsWith(".")),
    };
  }),
);

const partOf = (file: string) => file.split("/", 1)[0] ?? file;
const withoutComments = (text: string) => text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
const isIn = (file: string, place: string) => file === place || file.startsWith(`${place}/`);

describe("the architecture", () => {
  test("there are sources, and each belongs to a part with rules", () => {
    expect(sources.length).toBeGreaterThan(50);
    expect(sources.map(({ file }) => partOf(file)).filter((part) => !(part in MAY_IMPORT))).toEqual([]);
  });

  test("each part imports only what it may", () => {
    const offences = sources.flatMap(({ file, ours }) =>
      ours
        .filter((imported) => imported !== "../package.json")
        .filter(
          (imported) =>
            ![partOf(file), "errors.ts", "runtime", ...(MAY_IMPORT[partOf(file)] ?? [])].some((place) =>
              isIn(imported, place),
            ),
        )
        .map((imported) => `${file} imports ${imported}`),
    );
    expect(offences).toEqual([]);
  });

  test("only storage/open.ts names a driver; commands name what is one driver's alone", () => {
    const COMMANDS = {
      "cli/aws-setup.ts": "storage/aws/setup.ts",
      "cli/backup-data.ts": "storage/local/copy/data.ts",
      "cli/export.ts": "storage/aws/legacy/target.ts",
      "cli/import.ts": "storage/aws/legacy/source.ts",
      "cli/require-database.ts": "storage/local/layout.ts",
    };
    const offences = sources.flatMap(({ file, ours }) =>
      ours
        .filter((imported) => /^storage\/(aws|local)\//.test(imported))
        .filter((imported) => !isIn(file, imported.split("/", 2).join("/")))
        .filter(
          (imported) =>
            file !== "storage/open.ts" &&
            Object.entries(COMMANDS).every(([command, module]) => command !== file || module !== imported),
        )
        .map((imported) => `${file} imports ${imported}`),
    );
    expect(offences).toEqual([]);
  });

  test("requests see no more of the stores than the contract: the process alone has them as they were opened", () => {
    const users = sources.filter(({ text }) => /\bProcessServices\b/.test(text)).map(({ file }) => file);
    expect(users.toSorted()).toEqual(["main.ts", "services.ts"]);
  });

  test("each library is used where it belongs", () => {
    const offences = sources.flatMap(({ file, packages }) =>
      packages
        .map((name) => name.split("/", name.startsWith("@") ? 2 : 1).join("/"))
        .filter((name) => PACKAGE_HOMES[name]?.test(file) === false)
        .map((name) => `${file} imports ${name}`),
    );
    expect(offences).toEqual([]);
  });

  test("only the command that writes the API document makes it: the service serves the file", () => {
    const generator = "http/reference/generate.ts";
    expect(sources.filter(({ ours }) => ours.includes(generator)).map(({ file }) => file)).toEqual([
      "cli/openapi.ts",
    ]);
    const users = sources.filter(({ packages }) => packages.includes("@elysiajs/swagger"));
    expect(users.map(({ file }) => file)).toEqual([generator]);
    expect(Object.keys(packageJson.dependencies)).not.toContain("@elysiajs/swagger");
  });

  test("a handler returns what the protocol says of its operation", () => {
    const handlers = sources.filter(({ file }) => partOf(file) === "routes");
    const found = (pattern: RegExp) =>
      handlers.flatMap(({ file, text }) =>
        [...text.matchAll(pattern)].map(([, operation]) => `${file}: ${operation}`),
      );
    const described = found(/detail: describeOperation\(([\w.]+)[,)]/g);
    const returned = found(/\): Reply<typeof ([\w.]+)> =>/g);
    // a recovered backup is sent from a file; no value of its shape is ever made
    const made = described.filter((entry) => entry !== "routes/retrieve.ts: wire");
    expect(made.length).toBeGreaterThan(15);
    expect(returned.toSorted()).toEqual(made.toSorted());
  });

  test("a handler counts what the protocol says that its operation counts as", () => {
    const routesThat = (pattern: RegExp) =>
      sources
        .filter(({ file, text }) => partOf(file) === "routes" && pattern.test(text))
        .map(({ file }) => file);
    const counted = (kind: CountedKind) =>
      Object.entries<WireOperation>(operations)
        .filter(([, { countsAgainst }]) => countsAgainst === kind)
        .map(([name]) => `routes/${name.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)}.ts`);
    expect(routesThat(/requestLimits\.limitCreate\(/)).toEqual(counted("create"));
    expect(routesThat(/requestLimits\.limitDestruction\(/).toSorted()).toEqual(
      counted("destruction").toSorted(),
    );
  });

  for (const [part, places, libraries] of [
    ["protocol", ["protocol"], ["@sinclair/typebox"]],
    ["client", ["client", "protocol"], ["@sinclair/typebox", "@noble/curves"]],
    ["playground", ["playground", "client", "protocol"], []],
  ] as const)
    test(`the ${part} can be used in a browser: it imports only ${[...places, ...libraries].join(", ")}`, () => {
      const ofPart = sources.filter(({ file }) => partOf(file) === part);
      expect(ofPart.length).toBeGreaterThan(5);
      const offences = ofPart.filter(
        ({ ours, packages, text }) =>
          ours.some((imported) => !places.some((place) => isIn(imported, place))) ||
          packages.some((name) => !libraries.some((library) => isIn(name, library))) ||
          /\b(Buffer|Bun|process)\b\s*[.([]|node:|bun:/.test(withoutComments(text)),
      );
      expect(offences.map(({ file }) => file)).toEqual([]);
    });

  test("the client for apps has a file for each operation on a backup", () => {
    const files = sources.filter(({ file }) => isIn(file, "client/operations")).map(({ file }) => file);
    const named = Object.entries<WireOperation>(operations)
      .filter(([name, { tag }]) => ["Backups", "Factors"].includes(tag) && name !== "addFactorChallenge")
      .map(([name]) => name.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`));
    expect(named.length).toBeGreaterThan(10);
    expect(files.toSorted()).toEqual(named.map((name) => `client/operations/${name}.ts`).toSorted());
  });

  test("the wire is described in the protocol and nowhere else", () => {
    const others = sources.filter(({ file }) => partOf(file) !== "protocol");
    const shapes = others
      .filter(({ file }) => ["routes", "http", "limits", "cli", "client"].includes(partOf(file)))
      .filter(({ text }) => /\bType\.(?!Unsafe<ErrorCode>)/.test(text));
    expect(shapes.map(({ file }) => file)).toEqual([]);
    const paths = others.filter(({ text }) => /["`]\/(v1|dev)\/[^"`\n]*["`]/.test(withoutComments(text)));
    expect(paths.map(({ file }) => file)).toEqual([]);
  });

  test("a name of the wire has one schema and one type", () => {
    const declared = (kind: string) =>
      sources.flatMap(({ file, text }) =>
        [...text.matchAll(new RegExp(`^(?:export )?(?:${kind}) ([A-Z]\\w*[a-z]\\w*)`, "gm"))].map(
          ([, name = ""]) => ({ file, name }),
        ),
      );
    const values = declared("const|function|class");
    const types = declared("type|interface|class");
    const ofTheWire = new Set(
      [...values, ...types].filter(({ file }) => partOf(file) === "protocol").map(({ name }) => name),
    );
    expect(ofTheWire.size).toBeGreaterThan(30);
    const places = (declarations: typeof values, wanted: string) =>
      declarations.filter(({ name }) => name === wanted).map(({ file }) => file);
    const twice = [...ofTheWire].flatMap((name) =>
      [places(values, name), places(types, name)].filter((files) => files.length > 1),
    );
    const elsewhere = [...values, ...types].filter(
      ({ file, name }) => ofTheWire.has(name) && partOf(file) !== "protocol",
    );
    expect({ twice, elsewhere }).toEqual({ twice: [], elsewhere: [] });
  });

  test("only the entry points read the environment", () => {
    const readers = sources.filter(({ text }) => /\b(process|Bun)\.env\b/.test(text)).map(({ file }) => file);
    expect(readers.filter((file) => file !== "main.ts" && partOf(file) !== "cli")).toEqual([]);
  });

  test("the domain and the proofs take time and randomness from outside", () => {
    const offences = sources
      .filter(({ file }) => ["proofs", "backups", "maintenance"].includes(partOf(file)))
      .filter(({ text }) =>
        /Date\.now\(|new Date\(\)|randomUUID\(|getRandomValues\(|randomBytes\(/.test(text),
      )
      .map(({ file }) => file);
    expect(offences).toEqual([]);
  });

  test("no import leaves the repository's src", () => {
    const offences = sources.flatMap(({ file, ours }) =>
      ours
        .filter((imported) => relative(".", imported).startsWith("..") && imported !== "../package.json")
        .map((imported) => `${file} imports ${imported}`),
    );
    expect(offences).toEqual([]);
  });
});

describe("src/README.md", () => {
  const named = (pattern: RegExp, text: string) => [...text.matchAll(pattern)].map(([, name = ""]) => name);

  test("names only files and folders that exist", async () => {
    const map = await Bun.file(join(ROOT, "src/README.md")).text();
    const paths = named(/`((?:[\w-]+\/)*(?:[\w.-]+\.ts|[\w-]+\/))`/g, map);
    expect(paths.length).toBeGreaterThan(40);
    const isThere = (path: string) => existsSync(join(ROOT, path.startsWith("test/") ? "" : "src", path));
    expect(paths.filter((path) => !isThere(path))).toEqual([]);
  });

  test("has every room and every folder within one", async () => {
    const map = await Bun.file(join(ROOT, "src/README.md")).text();
    const folders = new Set(sources.map(({ file }) => dirname(file)).filter((folder) => folder !== "."));
    const files = sources.map(({ file }) => file).filter((file) => !file.includes("/"));
    const first = named(/^\| `([^`]+?)\/?` \|/gm, map);
    expect(first.toSorted()).toEqual([...folders, ...files].toSorted());
  });

  test("shows who may import whom", async () => {
    const map = await Bun.file(join(ROOT, "src/README.md")).text();
    const rooms = [...map.matchAll(/^\| `([^`]+?)\/?` \| .* \|(.*)\|$/gm)].map(
      ([, room = "", imports = ""]) => [room, named(/`([^`]+)`/g, imports)],
    );
    expect(Object.fromEntries(rooms)).toEqual(MAY_IMPORT);
  });
});
