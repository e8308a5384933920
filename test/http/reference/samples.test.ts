/** The samples of the API reference are what they show: they compile, and they send the examples. */
import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SAMPLE_FILE, SAMPLE_URL } from "../../../src/http/reference/samples/call.ts";
import { allExamples } from "../../../src/protocol/examples/all.ts";
import type { Example } from "../../../src/protocol/examples/example.ts";
import { namedOperations } from "../../../src/protocol/named-operations.ts";
import { DRIVERS } from "../../drivers.ts";
import { play } from "../../support/example.ts";
import { installClient } from "../../support/installed-client.ts";
import { operationSamples } from "../../support/samples.ts";
import { CURL, PYTHON, requireProgram } from "../../support/system-packages.ts";

const ROOT = join(import.meta.dir, "../../..");
const LANGUAGES = ["curl", "TypeScript", "Swift", "Kotlin", "Python"];
const [driver] = DRIVERS; // what stores the backup does not matter to who sends it
if (driver === undefined) throw new Error("there is no driver");

const samples = await operationSamples();

function exampleOf({ method, path }: { readonly method: string; readonly path: string }): Example {
  const example = allExamples.find((one) => one.method === method && one.path === path);
  if (example === undefined) throw new Error(`${method} ${path} has no example`);
  return example;
}

async function run(command: readonly string[], cwd: string, input = ""): Promise<string> {
  const child = Bun.spawn([...command], {
    cwd,
    env: { ...process.env, CURL_HOME: cwd },
    stdin: new Blob([input]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors, status] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  if (status !== 0) throw new Error(`${command[0]} ended with ${status}: ${output}${errors}`);
  return output;
}

async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "samples-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

test("every operation has a sample in every language", () => {
  expect(samples.map(({ operationId }) => operationId).toSorted()).toEqual(
    namedOperations.map(({ name }) => name).toSorted(),
  );
  for (const { operationId, sources } of samples)
    expect([operationId, ...Object.keys(sources)]).toEqual([operationId, ...LANGUAGES]);
});

describe("the samples for curl, sent to the service, get the responses of the examples", () => {
  const DEVELOPMENT = { isStored: false, env: { APP_ENV: "development" } };
  const SEQUENCES = [
    { ids: ["createKeypairChallenge", "create"], isStored: false },
    { ids: ["createPasskeyChallenge", "health", "ready", "status"] },
    { ids: ["recoverKeypairChallenge", "recover", "addSyncFactorKeypairChallenge", "addSyncFactor"] },
    { ids: ["recoverPasskeyChallenge"] },
    { ids: ["verifyKeypairChallenge", "verify"] },
    { ids: ["verifyPasskeyChallenge"] },
    { ids: ["addFactorChallenge", "addFactor"] },
    { ids: ["syncKeypairChallenge", "sync"] },
    {
      ids: ["restoreVersionKeypairChallenge", "restoreVersion", "eventsKeypairChallenge", "events"],
    },
    { ids: ["metadataKeypairChallenge", "metadata"] },
    { ids: ["removeFactorKeypairChallenge", "removeFactor"] },
    { ids: ["deleteBackupKeypairChallenge", "deleteBackup", "undeleteKeypairChallenge", "undelete"] },
    { ids: ["undeletePasskeyChallenge"] },
    { ids: ["resetKeypairChallenge", "reset"] },
    { ids: ["idToken"], ...DEVELOPMENT },
  ];
  const sampleOf = (id: string) => {
    const sample = samples.find(({ operationId }) => operationId === id);
    if (sample === undefined) throw new Error(`There is no operation ${id}`);
    return sample;
  };

  test("each of them", () => {
    const sent = SEQUENCES.flatMap(({ ids }) => ids);
    expect(sent.toSorted()).toEqual(samples.map(({ operationId }) => operationId).toSorted());
  });

  for (const { ids, ...circumstances } of SEQUENCES)
    test(ids.join(", "), async () => {
      await requireProgram(CURL);
      await using folder = await temporaryFolder();
      await Bun.write(join(folder.path, ".curlrc"), 'silent\nshow-error\nwrite-out = "\\n%{http_code}"');
      const send = async (url: string, example: Example) => {
        const sample = samples.find(({ method, path }) => method === example.method && path === example.path);
        const source = sample?.sources.curl?.replaceAll(SAMPLE_URL, url) ?? "";
        await Bun.write(join(folder.path, SAMPLE_FILE), example.backup ?? "");
        const output = await run(["sh", "-c", source], folder.path);
        const end = output.lastIndexOf("\n");
        return { text: output.slice(0, end), status: Number(output.slice(end)) };
      };
      const examples = ids.map((id) => exampleOf(sampleOf(id)));
      await play(driver, examples, { ...circumstances, send });
    });
});

test("the samples in TypeScript compile with the client alone", async () => {
  await using installed = await installClient();
  const files = await Promise.all(
    samples.map(async ({ operationId, sources }) => {
      await Bun.write(join(installed.app, `${operationId}.ts`), `${sources.TypeScript}\nexport {};\n`);
      return `${operationId}.ts`;
    }),
  );
  const compilerOptions = {
    target: "ESNext",
    module: "NodeNext",
    strict: true,
    noEmit: true,
    lib: ["ESNext", "DOM", "DOM.AsyncIterable"],
    types: [],
  };
  await Bun.write(join(installed.app, "package.json"), '{"type":"module"}');
  await Bun.write(join(installed.app, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  expect(await run([process.execPath, tsc, "--project", "."], installed.app)).toBe("");
});

test("the samples in TypeScript call the method of the operation", () => {
  for (const { operationId, sources } of samples) {
    const { solvedIn } = namedOperations.find(({ name }) => name === operationId) ?? {};
    const isOfClient = !["health", "ready", "idToken"].includes(operationId);
    const call = isOfClient ? `client.${solvedIn ?? operationId}(` : "await fetch(";
    expect(sources.TypeScript).toContain(call);
  }
});

/** Takes the place of the package \`requests\`: prints what would be sent. */
const REQUESTS = `
import json, sys
from types import ModuleType, SimpleNamespace

def recorder(method):
    def record(url, json=None, files=None, timeout=None):
        sent.append({"method": method, "url": url, "json": json, "payload": files and __import__("json").loads(files["payload"][1]),
            "types": files and [part[2] for part in files.values()], "backup": files and files["backup"][1].read().decode()})
        return SimpleNamespace(status_code=200, text="")
    return record

sent = []
requests = ModuleType("requests")
requests.get, requests.post = recorder("GET"), recorder("POST")
sys.modules["requests"] = requests
output, sys.stdout = sys.stdout, sys.stderr
for source in json.load(sys.stdin):
    exec(source, {})
json.dump(sent, output)
`;

test("the samples in Python send the examples", async () => {
  const python = await requireProgram(PYTHON);
  await using folder = await temporaryFolder();
  await Bun.write(join(folder.path, SAMPLE_FILE), "a ciphertext");
  const sources = JSON.stringify(samples.map((sample) => sample.sources.Python));
  const expected = samples.map((operation) => {
    const { request, backup } = exampleOf(operation);
    const json: unknown = request === null ? null : JSON.parse(request);
    const upload = { json: null, payload: json, backup: "a ciphertext" };
    return {
      method: operation.method,
      url: SAMPLE_URL + operation.path,
      ...(backup === undefined ? { json, payload: null, backup: null, types: null } : upload),
      ...(backup === undefined ? {} : { types: ["application/json", "application/octet-stream"] }),
    };
  });
  expect(JSON.parse(await run([python, "-c", REQUESTS], folder.path, sources))).toEqual(expected);
});

describe.each([
  ["Swift", /#"""\n([\s\S]*)\n"""#/, "httpMethod = "],
  ["Kotlin", /"""\n([\s\S]*)\n {4}"""/, "url("],
] as const)("the samples in %s", (language, literal, request) => {
  test("have the literal JSON of the examples, and the address", () => {
    for (const operation of samples) {
      const source = operation.sources[language] ?? "";
      const [, json = null] = literal.exec(source) ?? [];
      const { request: expected, backup } = exampleOf(operation);
      expect(json === null ? null : JSON.parse(json)).toEqual(
        expected === null ? null : JSON.parse(expected),
      );
      expect(source).toContain(`"${SAMPLE_URL}${operation.path}"`);
      expect(source).toContain(request);
      expect(source.includes(SAMPLE_FILE)).toBe(backup !== undefined);
    }
  });
});
