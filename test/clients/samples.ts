/**
 * The samples of the API reference for those who compile: in Kotlin and Python they are sent to a service, with challenges
 * of another service, which it refuses as documented. Swift is parsed.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SAMPLE_FILE, SAMPLE_URL } from "../../src/http/reference/samples/call.ts";
import { DRIVERS } from "../drivers.ts";
import { operationSamples } from "../support/samples.ts";
import { startService, type TestService } from "../support/service.ts";
import { kotlinCompiler, pythonPrograms, run, swiftErrors } from "./tools.ts";

const HERE = import.meta.dir;
const driver = DRIVERS.find(({ name }) => name === "local");
if (driver === undefined) throw new Error("the suite runs on the embedded driver: TEST_DRIVERS=local");

/** What the samples print: a status, and what the response contains. */
const PRINTED = [
  ["health", "200 ", '"rev"'],
  ["status", "404 ", '"not_found"'],
  ["createKeypairChallenge", "200 ", '"backupAccountChallenge"'],
  ["metadata", "400 ", '"jwt_error"'],
  ["create", "400 ", '"jwt_error"'],
] as const;

let folder: string;
let service: TestService;
const samples = await operationSamples();

/** The source of each sample, by its operation: for this service, and for a file that exists. */
function sourcesIn(language: string): ReadonlyMap<string, string> {
  return new Map(
    samples.map(({ operationId, sources }) => {
      const source = sources[language]?.replaceAll(SAMPLE_URL, service.url) ?? "";
      return [operationId, source.replaceAll(`"${SAMPLE_FILE}"`, `"${join(folder, SAMPLE_FILE)}"`)];
    }),
  );
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "backup-service-samples-"));
  await Bun.write(join(folder, SAMPLE_FILE), "a ciphertext");
  service = await startService(driver, { env: { APP_ENV: "development" } });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe("the samples of the API reference", () => {
  test("in Kotlin compile, and send requests", async () => {
    const written = join(folder, "kotlin");
    await mkdir(written);
    for (const [id, source] of sourcesIn("Kotlin"))
      await Bun.write(
        join(written, `${id}.kt`),
        `@file:JvmName("Sample")\npackage samples.${id}\n\n${source}`,
      );
    const kotlin = await kotlinCompiler(join(HERE, "kotlin/pom.xml"));
    const classes = join(folder, "classes");
    await kotlin.compile([written], classes);
    for (const [id, status, text] of PRINTED) {
      const printed = await kotlin.execute(classes, `samples.${id}.Sample`, []);
      expect([id, printed]).toEqual([id, expect.stringContaining(text)]);
      expect(printed).toStartWith(status);
    }
  });

  test("in Python send requests", async () => {
    const python = join(await pythonPrograms(), "python");
    const sources = sourcesIn("Python");
    for (const [id, status, text] of PRINTED) {
      const printed = await run([python, "-c", sources.get(id) ?? ""]);
      expect([id, printed]).toEqual([id, expect.stringContaining(text)]);
      expect(printed).toStartWith(status);
    }
  });

  test("in Swift are Swift", async () => {
    const written = join(folder, "swift");
    await mkdir(written);
    const files: string[] = [];
    for (const [id, source] of sourcesIn("Swift")) {
      files.push(join(written, `${id}.swift`));
      await Bun.write(join(written, `${id}.swift`), source);
    }
    const errors = Object.entries(await swiftErrors(files)).filter(([, lines]) => lines.length > 0);
    expect(errors).toEqual([]);
  });
});
