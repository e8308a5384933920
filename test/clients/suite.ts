/**
 * `bun run test:clients`: what others make of the OpenAPI documents. Validators accept them; clients that are generated from
 * them create, recover, join and sync a backup on a service with the embedded driver; schemathesis finds nothing that the
 * documents do not say. And what a validator makes of the template of CloudFormation.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readChapter } from "../../src/http/reference/guide/page.ts";
import { DRIVERS } from "../drivers.ts";
import { blocks } from "../support/guide.ts";
import { startService, type TestService } from "../support/service.ts";
import {
  GENERATOR_VERSION,
  kotlinCompiler,
  nodePackages,
  openApiGenerator,
  pythonPrograms,
  run,
  swiftErrors,
} from "./tools.ts";

const HERE = import.meta.dir;
const REFERENCE = join(HERE, "../../src/http/reference");
const DOCUMENT = join(REFERENCE, "openapi.json");
const DOCUMENT_30 = join(REFERENCE, "openapi-3.0.json");
/** Without the pages and tests that a generated client comes with. */
const CODE_ONLY =
  "--global-property=apis,models,supportingFiles,apiDocs=false,modelDocs=false,apiTests=false,modelTests=false";

/** The options that the guide has for a generator. */
async function guideOptions(generator: string): Promise<string[]> {
  const command = new RegExp(`generate -g ${generator} .*? -o client ([\\s\\S]*?)\`\`\``);
  const [, options = ""] = command.exec(await readChapter("generated-clients.md")) ?? [];
  return options.split(/[\s\\]+/).filter((option) => option.startsWith("--"));
}

const driver = DRIVERS.find(({ name }) => name === "local");
if (driver === undefined) throw new Error("the suite runs on the embedded driver: TEST_DRIVERS=local");

let folder: string;
let service: TestService;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "backup-service-clients-"));
  service = await startService(driver, { env: { APP_ENV: "development" } });
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe("the OpenAPI documents", () => {
  for (const file of [DOCUMENT, DOCUMENT_30]) {
    test(`are valid for openapi-spec-validator (${file})`, async () => {
      const output = await run([join(await pythonPrograms(), "openapi-spec-validator"), file]);
      expect(output).toContain("OK");
    });

    test(`are valid for OpenAPI Generator (${file})`, async () => {
      const output = await run([...(await openApiGenerator()), "validate", "-i", file]);
      expect(output).toContain("No validation issues detected");
    });
  }

  test("say all that the service does with requests that schemathesis makes", async () => {
    const schemathesis = join(await pythonPrograms(), "schemathesis");
    const config = join(HERE, "schemathesis.toml");
    await run(
      [
        ...[schemathesis, "--config-file", config, "run", `${service.url}/openapi.json`],
        ...["--max-examples", "10", "--seed", "1", "--generation-database", "none", "--no-color"],
      ],
      { cwd: folder },
    );
  });
});

test("the template of CloudFormation is valid for cfn-lint", async () => {
  const template = join(HERE, "../../deploy/cloudformation.yaml");
  await run([
    join(await pythonPrograms("template-requirements.txt"), "cfn-lint"),
    "--include-checks",
    "I",
    "--",
    template,
  ]);
});

test("the guide names the generator that is used here", async () => {
  expect(await readChapter("generated-clients.md")).toContain(`${GENERATOR_VERSION} or newer`);
});

describe("a generated client creates, recovers, joins and syncs", () => {
  test("in TypeScript, with openapi-typescript", async () => {
    const project = join(folder, "typescript");
    await cp(await nodePackages(join(HERE, "typescript/package.json")), project, { recursive: true });
    for (const file of ["life.ts", "tsconfig.json"])
      await cp(join(HERE, "typescript", file), join(project, file));
    const program = (name: string) => join(project, "node_modules/.bin", name);
    const bun = [process.execPath, "--bun"];
    await run([...bun, program("openapi-typescript"), DOCUMENT, "-o", "api.ts"], { cwd: project });
    await run([...bun, program("tsc"), "-p", project]);
    expect(await run([process.execPath, join(project, "life.ts"), service.url])).toBe("ok\n");
  });

  test("in Python, with OpenAPI Generator", async () => {
    const client = join(folder, "python");
    await run([
      ...[...(await openApiGenerator()), "generate", "-g", "python", "-i", DOCUMENT_30, "-o", client],
      ...["--additional-properties=packageName=backup_client", CODE_ONLY],
    ]);
    const python = join(await pythonPrograms(), "python");
    const env = { PYTHONPATH: client };
    expect(await run([python, join(HERE, "python/life.py"), service.url], { env })).toBe("ok\n");
  });

  test("in Kotlin, with OpenAPI Generator and kotlinx serialization", async () => {
    const client = join(folder, "kotlin");
    await run([
      ...[...(await openApiGenerator()), "generate", "-g", "kotlin", "-i", DOCUMENT_30, "-o", client],
      ...[...(await guideOptions("kotlin")), CODE_ONLY],
      "--additional-properties=omitGradleWrapper=true,packageName=backup.client",
    ]);
    const kotlin = await kotlinCompiler(join(HERE, "kotlin/pom.xml"));
    const classes = join(client, "classes");
    await kotlin.compile([join(client, "src/main/kotlin"), join(HERE, "kotlin/Life.kt")], classes);
    expect(await kotlin.execute(classes, "LifeKt", [service.url])).toBe("ok\n");
  });
});

describe("a client in Swift, with OpenAPI Generator", () => {
  let client: string;
  const sources = async (pattern: string) => {
    const files = [...new Bun.Glob(pattern).scanSync(client)].map((name) => join(client, name));
    return new Map(
      await Promise.all(files.map(async (file) => [file, await Bun.file(file).text()] as const)),
    );
  };
  beforeAll(async () => {
    client = join(folder, "swift");
    const options = await guideOptions("swift6");
    expect(options).not.toEqual([]);
    const output = await run([
      ...[...(await openApiGenerator()), "generate", "-g", "swift6", "-i", DOCUMENT_30, "-o", client],
      ...[...options, CODE_ONLY],
    ]);
    expect(output).not.toMatch(/\bERROR\b/);
  });

  test("is Swift", async () => {
    const files = [...(await sources("**/*.swift")).keys()];
    expect(files.length).toBeGreaterThan(80);
    // the grammar does not know `() as! T`, which the generator always has in this file
    const others = files.filter((file) => !file.endsWith("/URLSessionImplementations.swift"));
    expect(others).toHaveLength(files.length - 1);
    const errors = Object.entries(await swiftErrors(others)).filter(([, lines]) => lines.length > 0);
    expect(errors).toEqual([]);
    const literals = [...(await sources("**/*.swift")).values()].join("\n").match(/"(?:[^"\\\n]|\\.)*"/g);
    expect(literals?.filter((text) => /\\[^0"'nrtu\\(]/.test(text))).toEqual([]);
  });

  test("uploads with what the guide adds", async () => {
    const [added = ""] = await blocks("generated-clients.md", "swift");
    const generated = [...(await sources("**/*.swift")).values()].join("\n");
    const names = (pattern: RegExp, text: string) =>
      new Set([...text.matchAll(pattern)].map(([, name]) => name));
    expect(names(/^extension (\w+): ParameterConvertible/gm, added)).toEqual(
      names(/\(payload: (\w+), backup: URL/g, generated),
    );
    for (const used of [
      "protocol ParameterConvertible {\n    func asParameter(codableHelper: CodableHelper) -> any Sendable\n",
      "open func encode<T>(_ value: T) -> Swift.Result<Data, Error> where T: Encodable",
      "case let string as String:",
    ])
      expect(generated).toContain(used);
  });
});
