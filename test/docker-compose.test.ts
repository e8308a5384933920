import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { YAML } from "bun";
import packageJson from "../package.json" with { type: "json" };
import { targetOf } from "../src/cli/build-targets.ts";
import { loadConfig } from "../src/config/config.ts";
import { loadLocalUrl } from "../src/config/server.ts";
import { freePort } from "./support/free-port.ts";
import { newLocalStorage } from "./support/local-storage.ts";
import { productionPackages } from "./support/production-packages.ts";
import { copyRepository } from "./support/repository-copy.ts";
import { runBun } from "./support/run-bun.ts";
import { startProcess } from "./support/service-process.ts";

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Record<string, string>;
  readonly ports?: readonly string[];
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
const PROGRAM = "/usr/local/bin/backup-service";
const healthCommand = called("HEALTHCHECK").map(argumentsOf)[0] ?? [];

describe("Dockerfile", () => {
  test("builds on the version of Bun that package.json asks for, with what bun.lock says", () => {
    expect(called("FROM")).toEqual(["--platform=$BUILDPLATFORM $BUN_IMAGE AS build", "$BASE_IMAGE"]);
    const image = assigned("ARG").BUN_IMAGE ?? "";
    expect(`>=${/^oven\/bun:(\d+\.\d+\.\d+)-slim$/.exec(image)?.[1]}`).toBe(packageJson.engines.bun);
    expect(called("RUN")).toContain("bun install --frozen-lockfile --production");
  });

  test("builds for the processor of the image on the one of the machine", () => {
    expect(called("RUN").at(-1)).toBe("bun src/cli/build.ts --target linux-$TARGETARCH");
    expect(["amd64", "arm64"].map((architecture) => targetOf(`linux-${architecture}`))).toEqual([
      "linux-x64",
      "linux-arm64",
    ]);
  });

  test("runs as a user that is not root, and to whom the data folder belongs", () => {
    const [user = ""] = called("USER");
    expect(called("USER")).toHaveLength(1);
    expect(user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    const { DATA_DIR } = assigned("ENV");
    expect(called("COPY")).toContain(`--from=build --chown=${user} --chmod=0700 ${DATA_DIR} ${DATA_DIR}`);
    expect(called("VOLUME")).toEqual([DATA_DIR ?? ""]);
  });

  test("has the service get signals itself, and commands as arguments", () => {
    expect(called("ENTRYPOINT").map(argumentsOf)).toEqual([[PROGRAM]]);
    expect(called("CMD")).toEqual([]);
    expect(healthCommand).toEqual([PROGRAM, "health"]);
  });

  test("copies what exists, and .dockerignore lets nothing else in", async () => {
    expect(copied).toContain("src");
    expect(copied.filter((name) => !existsSync(join(ROOT, name)))).toEqual([]);
    const rules = (await read(".dockerignore")).split("\n").filter((line) => /^[^#]/.test(line));
    const [first, ...others] = rules;
    expect(first).toBe("*");
    expect(others.toSorted()).toEqual(["**/.env*", ...copied.map((name) => `!${name}`)].toSorted());
    expect(others.indexOf("**/.env*")).toBeLessThan(others.indexOf("!.env.example"));
  });

  test("makes an image that serves, is healthy and ends on SIGTERM", async () => {
    await using stage = await copyRepository({ copied, packages: productionPackages() });
    const built = await stage.run(["src/cli/build.ts"], { APP_REVISION: "abc" }); // for this machine
    expect(built).toMatchObject({ status: 0, errors: "" });
    const program = join(stage.folder, "dist/backup-service");
    await using image = await copyRepository({ copied: [], packages: [] }); // an empty folder
    await using storage = await newLocalStorage();
    const port = String(freePort());
    const env = { ...assigned("ENV"), ...storage.env, APP_ENV: "development", PORT: port };
    await using service = await startProcess(env, { folder: image.folder, program: [program] });
    expect(await (await fetch(`${service.url}/health`)).json()).toMatchObject({ status: "ok", rev: "abc" });
    expect((await fetch(`${service.url}/playground/page.js`)).status).toBe(200);
    const check = () =>
      runBun(healthCommand.slice(1), { program, cwd: image.folder, env: { PORT: port, HOST: "127.0.0.1" } });
    expect(await check()).toMatchObject({ status: 0 });
    service.signal("SIGTERM");
    expect(await service.exited).toBe(0);
    expect(await check()).toMatchObject({ status: 1 });
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
    expect(services.setup?.command).toEqual(["aws-setup"]);
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
    const { healthcheck, environment = {}, ports = [] } = services["backup-service"] ?? {};
    expect(healthcheck?.test).toEqual(["CMD", PROGRAM, "health", "--ready"]);
    const url = loadLocalUrl({ ...assigned("ENV"), ...environment });
    expect(url).toBe("http://127.0.0.1:8000");
    expect(ports).toContain(`127.0.0.1:8000:${new URL(url).port}`);
  });
});
