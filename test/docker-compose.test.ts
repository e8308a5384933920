import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { TOML, YAML } from "bun";
import packageJson from "../package.json" with { type: "json" };
import { loadConfig } from "../src/config/config.ts";
import { CLEAN_ENVIRONMENT } from "./support/clean-environment.ts";
import { freePort } from "./support/free-port.ts";
import { newLocalStorage } from "./support/local-storage.ts";
import { productionPackages } from "./support/production-packages.ts";
import { copyRepository } from "./support/repository-copy.ts";
import { startProcess } from "./support/service-process.ts";

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Record<string, string>;
  readonly healthcheck?: { readonly test: readonly string[] };
}

interface Instruction {
  readonly name: string;
  readonly text: string;
}

const ROOT = join(import.meta.dir, "..");
const read = (file: string) => Bun.file(join(ROOT, file)).text();

const { services } = YAML.parse(await read("docker-compose.yml")) as { services: Record<string, Service> };

/** In the order of the file, without comments; a line that goes on in the next one is one with it. */
const instructions: readonly Instruction[] = (await read("Dockerfile"))
  .replaceAll(/^\s*#.*\n/gm, "")
  .replaceAll(/\\\n\s*/g, "")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => ({ name: line.split(" ", 1)[0] ?? "", text: line.replace(/^\S+\s+/, "") }));
const called = (name: string) =>
  instructions.filter((instruction) => instruction.name === name).map(({ text }) => text);
const assigned = (name: string) =>
  Object.fromEntries(
    called(name).map((text): [string, string] => [text.split("=", 1)[0] ?? "", text.replace(/^.*?=/, "")]),
  );
/** Of an instruction in the form that runs without a shell. */
const argumentsOf = (text: string): string[] => JSON.parse(text.slice(text.indexOf("[")));

/** What the Dockerfile copies from the repository, of all its stages. */
const copied = [
  ...new Set(
    called("COPY")
      .filter((text) => !text.startsWith("--from="))
      .flatMap((text) => text.split(" ").slice(0, -1)),
  ),
];
const serverCommand = called("CMD").map(argumentsOf)[0] ?? [];
const healthCommand = called("HEALTHCHECK").map(argumentsOf)[0] ?? [];

describe("Dockerfile", () => {
  test("builds every stage on the version of Bun that package.json asks for", () => {
    const image = assigned("ARG").BUN_IMAGE ?? "";
    expect(called("FROM").map((text) => text.split(" ", 1)[0])).toEqual(["$BUN_IMAGE", "$BUN_IMAGE"]);
    expect(`>=${/^oven\/bun:(\d+\.\d+\.\d+)-slim$/.exec(image)?.[1]}`).toBe(packageJson.engines.bun);
  });

  test("installs what bun.lock says, without what only the tests need", () => {
    expect(called("RUN")).toContain("bun install --frozen-lockfile --production");
  });

  test("runs as a user that is not root, and to whom the data folder belongs", () => {
    const [user = ""] = called("USER");
    expect(called("USER")).toHaveLength(1);
    expect(user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    const { DATA_DIR } = assigned("ENV");
    expect(called("RUN").join("\n")).toContain(`chown ${user} ${DATA_DIR}`);
    expect(called("VOLUME")).toEqual([DATA_DIR ?? ""]);
  });

  test("has the service get signals itself", () => {
    expect(serverCommand).toEqual(["bun", "src/main.ts"]);
    expect(called("ENTRYPOINT")).toEqual([]);
  });

  test("sets variables that the service reads, and the one that `bun run start` sets", async () => {
    const { BUN_JSC_forceRAMSize, ...ours } = assigned("ENV");
    expect(packageJson.scripts.start).toBe(
      `BUN_JSC_forceRAMSize=${BUN_JSC_forceRAMSize} ${serverCommand.join(" ")}`,
    );
    const example = await read(".env.example");
    expect(Object.keys(ours).toSorted()).toEqual(["APP_REVISION", "DATA_DIR"]);
    for (const name of Object.keys(ours)) expect(example).toMatch(new RegExp(`^${name}=`, "m"));
  });

  test("copies what exists, and .dockerignore lets nothing else in", async () => {
    expect(copied).toContain("src");
    expect(copied.filter((name) => !existsSync(join(ROOT, name)))).toEqual([]);
    const rules = (await read(".dockerignore")).split("\n").filter((line) => /^[^#]/.test(line));
    expect(rules[0]).toBe("*");
    expect(rules.slice(1, -1).toSorted()).toEqual(copied.map((name) => `!${name}`).toSorted());
    expect(rules.at(-1)).toBe("**/.env*");
  });

  test("copies every file that the service and the operator commands load", async () => {
    const commands = ["aws-setup", "doctor", "backup-data"].map((name) => `src/cli/${name}.ts`);
    const preloaded = (TOML.parse(await read("bunfig.toml")) as { preload: string[] }).preload;
    const loaded = await closureOf(["src/main.ts", ...commands, ...preloaded.map((file) => join(file))]);
    expect(loaded).toContain("package.json");
    expect(loaded).toContain("src/proofs/passkey/passkey.ts"); // imported when the first one comes
    expect(
      loaded.filter((file) => !copied.some((name) => file === name || file.startsWith(`${name}/`))),
    ).toEqual([]);
    expect(copied).toContain("bunfig.toml");
  });

  test("makes an image that serves, is healthy and ends on SIGTERM", async () => {
    await using image = await copyRepository({ copied, packages: productionPackages() });
    await using storage = await newLocalStorage();
    const port = freePort();
    const env = { ...assigned("ENV"), ...storage.env, APP_ENV: "development", APP_REVISION: "abc" };
    await using service = await startProcess({ ...env, PORT: String(port) }, { folder: image.folder });
    expect(await (await fetch(`${service.url}/health`)).json()).toMatchObject({ status: "ok", rev: "abc" });
    expect(await run(healthCommand, image.folder, { PORT: String(port) })).toBe(0);
    service.signal("SIGTERM");
    expect(await service.exited).toBe(0);
    expect(await run(healthCommand, image.folder, { PORT: String(port) })).toBe(1);
  });
});

describe("docker-compose.yml", () => {
  test("configures a service that would start, from the image", () => {
    const service = services["backup-service"];
    const config = loadConfig({ ...assigned("ENV"), ...service?.environment });
    expect(config.storage.driver).toBe("aws");
    expect(config.challengeTokens.generatedKeyDir).toBe("/data");
    const { image, build, environment = {} } = service ?? {};
    expect(services.setup).toMatchObject({ image, build, environment });
    expect(build).toBe(".");
    expect(services.setup?.command).toEqual(["bun", "src/cli/aws-setup.ts"]);
  });

  test("names every image by an exact tag", () => {
    const { dynamodb, s3 } = services;
    expect(dynamodb?.image).toMatch(/^amazon\/dynamodb-local:\d+\.\d+\.\d+$/);
    expect(s3?.image).toMatch(/^minio\/minio:RELEASE\.[\dTZ-]+$/);
  });

  test("waits for each service's health", () => {
    for (const name of ["backup-service", "dynamodb", "s3"])
      expect(services[name]?.healthcheck).toBeDefined();
  });

  test("asks the service whether it is ready", async () => {
    await using storage = await newLocalStorage();
    await using service = await startProcess({ APP_ENV: "development", ...storage.env });
    const [kind, ...command] = services["backup-service"]?.healthcheck?.test ?? [];
    expect(kind).toBe("CMD");
    expect(command.join(" ")).toContain("http://localhost:8000/ready");
    const { host } = new URL(service.url);
    const asking = command.map((word) => word.replace("localhost:8000", host));
    expect(await run(asking, ROOT)).toBe(0);
    service.signal("SIGTERM");
    await service.exited;
    expect(await run(asking, ROOT)).toBe(1);
  });
});

/** Files that these import, and that those import, whenever that is; below the root of the repository. */
async function closureOf(files: readonly string[]): Promise<string[]> {
  const found = new Set(files);
  for (const file of found) {
    if (!file.endsWith(".ts")) continue;
    for (const [, specifier = ""] of (await read(file)).matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g))
      found.add(join(dirname(file), specifier));
  }
  return [...found];
}

/** @returns the status that a command ends with. */
function run(command: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}) {
  return Bun.spawn([...command], {
    cwd,
    env: { ...CLEAN_ENVIRONMENT, ...env },
    stdout: "ignore",
    stderr: "ignore",
  }).exited;
}
