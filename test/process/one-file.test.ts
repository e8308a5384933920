/** The one file in an empty folder, where there is neither Bun nor a package. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import * as accountKeys from "../../src/client/account-key.ts";
import * as client from "../../src/client/index.ts";
import { expectedLife, live } from "../client/journey.ts";
import { DRIVERS } from "../drivers.ts";
import { createApiClient } from "../support/api-client.ts";
import { beginUpload } from "../support/begun-upload.ts";
import { freePort } from "../support/free-port.ts";
import { type BuiltFile, buildFile } from "../support/one-file.ts";
import { TEST_CHALLENGE_TOKEN_KEYS } from "../support/service.ts";
import { startProcess } from "../support/service-process.ts";
import { newUser, randomBytes, recovered, replacedContent, userWithBackup } from "../support/users.ts";

const REVISION = "0123456789abcdef";
const ENV = { APP_ENV: "development", CHALLENGE_TOKEN_KEYS: TEST_CHALLENGE_TOKEN_KEYS };

let file: BuiltFile;
beforeAll(async () => {
  file = await buildFile(REVISION);
});
afterAll(() => file[Symbol.asyncDispose]());

for (const driver of DRIVERS)
  describe(`the one file on ${driver.name}`, () => {
    test("keeps a backup through a restart, and ends as a service has to", async () => {
      await using storage = await driver.environment();
      const env = { ...ENV, ...storage.env };
      const created = newUser(randomBytes(300_000));
      const uploading = newUser(randomBytes(100_000));
      let user = created;
      {
        await using service = await file.start(env);
        const api = createApiClient({ url: service.url });
        await userWithBackup(api, created);
        expect((await recovered(api, created)).backup).toBe(Buffer.from(created.backup).toString("base64"));
        user = (await replacedContent(api, created)).user;
        using upload = await beginUpload(service.url, uploading);
        service.signal("SIGTERM");
        await expect(untilClosed(service.url)).resolves.toBeUndefined();
        expect((await upload.finish()).status).toBe(200);
        expect(await service.exited).toBe(0);
        expect(service.lines.at(-1)).toContain("stopped");
      }
      await using service = await file.start(env);
      const api = createApiClient({ url: service.url });
      for (const owner of [user, uploading]) {
        const { backup } = await recovered(api, owner);
        expect(backup).toBe(Buffer.from(owner.backup).toString("base64"));
      }
      const life = await live(client, accountKeys, { url: service.url, withPasskey: false });
      expect(life).toEqual(expectedLife("EC_KEYPAIR"));
      expect(await file.run(["doctor", "--verify", "--json"], storage.env)).toMatchObject({ status: 0 });
      const { output } = await file.run(["inspect", user.account.backupAccountId], storage.env);
      expect(output).toContain(user.account.backupAccountId);
    });
  });

const LOCAL = DRIVERS.find(({ name }) => name === "local");
const AWS = DRIVERS.find(({ name }) => name === "aws");

if (LOCAL !== undefined)
  describe("the one file", () => {
    test("names its version, the commit and its commands", async () => {
      const version = await file.run(["--version"]);
      expect(version).toEqual({ status: 0, errors: "", output: `${packageJson.version} (${REVISION})\n` });
      const help = await file.run(["--help"]);
      expect(help.status).toBe(0);
      const commands = [...help.output.matchAll(/^ {2}([a-z][a-z-]*) {2}/gm)].map(([, name = ""]) => name);
      expect(commands.length).toBeGreaterThan(8);
      const described = commands.filter((name) => name !== "serve");
      await Promise.all(
        described.map(async (command) =>
          expect(await file.run([command, "--help"])).toMatchObject({
            status: 0,
            output: expect.stringContaining(`Usage: backup-service ${command}`),
          }),
        ),
      );
      for (const wrong of [["srve"], ["serve", "--port"], ["constructor"]])
        expect(await file.run(wrong)).toMatchObject({ status: 2, output: "" });
    });

    test("reads .env in the folder where it is started, and no file of Bun or of packages", async () => {
      await using storage = await LOCAL.environment();
      await using other = await buildFolder({
        ".env": "APP_REVISION=of-the-file\n",
        "bunfig.toml": 'preload = ["./missing.ts"]\n',
        "package.json": "{",
        "tsconfig.json": "{",
      });
      const program = [join(file.folder, "backup-service")];
      const env = { ...ENV, ...storage.env, BUN_OPTIONS: "" };
      await using service = await startProcess(env, { program, folder: other.path });
      expect(await (await fetch(`${service.url}/health`)).json()).toMatchObject({ rev: "of-the-file" });
    });

    test("is no other program because of a variable in .env", async () => {
      const lines = ["BUN_BE_BUN=1", "BUN_JSC_forceRAMSize=x", "LD_PRELOAD=/missing.so"];
      await using other = await buildFolder({ ".env": lines.join("\n") });
      for (const command of ["import", "export"]) // these replace the process by one with another environment
        expect(await file.run([command, "--help"], {}, other.path)).toMatchObject({
          status: 0,
          errors: "",
          output: expect.stringContaining(`Usage: backup-service ${command}`),
        });
    });

    if (process.platform === "linux")
      test("has the engine keep little garbage, as `bun run start` does, unless the operator decides", async () => {
        await using storage = await LOCAL.environment();
        const variable = /BUN_JSC_forceRAMSize=(\d+)/;
        for (const [chosen, size] of [
          [{}, variable.exec(packageJson.scripts.start)?.[1]],
          [{ BUN_JSC_forceRAMSize: "1073741824" }, "1073741824"],
        ] as const) {
          await using service = await file.start({ ...ENV, ...storage.env, ...chosen });
          const environment = await Bun.file(`/proc/${service.pid}/environ`).text();
          expect(variable.exec(environment)?.[1]).toBe(size);
        }
      });

    test("has every page that the sources have", async () => {
      await using storage = await LOCAL.environment();
      await using built = await file.start({ ...ENV, ...storage.env });
      await using sources = await startProcess({ ...ENV, ...storage.env });
      expect(await (await fetch(`${built.url}/health`)).json()).toMatchObject({ rev: REVISION });
      const documents = ["/openapi.json", "/openapi-3.0.json", "/docs/openapi.json"];
      const paths = new Set(["/", "/docs", "/guide", "/playground", ...documents]);
      paths.add("/docs/openapi.json"); // a script asks for it
      for (const path of paths) {
        const [found, expected] = await Promise.all([built, sources].map(({ url }) => page(url + path)));
        expect({ path, ...found }).toEqual({ path, ...expected });
        for (const [, linked = ""] of expected?.text.matchAll(/(?:href|src)="([^"#:]+)"/g) ?? [])
          paths.add(new URL(linked, built.url + path).pathname);
      }
      for (const script of ["/playground/page.js", "/docs/scalar.js"]) expect([...paths]).toContain(script);
    });

    test("sends traces, with what it loads only then", async () => {
      const { promise: sent, resolve } = Promise.withResolvers<string>();
      await using collector = Bun.serve({
        port: 0,
        fetch(request) {
          resolve(new URL(request.url).pathname);
          return Response.json({});
        },
      });
      await using storage = await LOCAL.environment();
      const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url.origin };
      await using service = await file.start({ ...ENV, ...storage.env, ...endpoint });
      await fetch(`${service.url}/ready`);
      service.signal("SIGTERM");
      expect(await sent).toBe("/v1/traces");
      expect(await service.exited).toBe(0);
    });

    test("says what it misses as it is called", async () => {
      const { status, errors } = await file.run([]);
      expect(status).toBe(1);
      expect(errors).toContain("APP_ENV is required");
      expect(errors).toContain("backup-service variables explains every variable");
      const variables = await file.run(["variables"]);
      expect(variables.output).toBe(await Bun.file(join(import.meta.dir, "../../.env.example")).text());
    });

    test("asks a service whether it runs", async () => {
      await using storage = await LOCAL.environment();
      await using service = await file.start({ ...ENV, ...storage.env });
      const { port } = new URL(service.url);
      for (const args of [["health"], ["health", "--ready"]])
        expect(await file.run(args, { PORT: port, HOST: "127.0.0.1" })).toMatchObject({ status: 0 });
      service.signal("SIGTERM");
      await service.exited;
      expect(await file.run(["health"], { PORT: port })).toMatchObject({ status: 1 });
      expect(await file.run(["health"], { PORT: "0" })).toMatchObject({ status: 2 });
    });

    test("copies a data folder, and checks the copy", async () => {
      await using storage = await LOCAL.environment();
      await using copy = await buildFolder({});
      await using service = await file.start({ ...ENV, ...storage.env });
      await userWithBackup(createApiClient({ url: service.url }));
      expect(await file.run(["backup-data", join(copy.path, "copy")], storage.env)).toMatchObject({
        status: 0,
      });
      const env = { STORAGE_DRIVER: "local", DATA_DIR: join(copy.path, "copy") };
      const { status, output } = await file.run(["doctor", "--verify", "--json"], env);
      expect(status).toBe(0);
      expect(JSON.parse(output)).toMatchObject({ summary: { healthy: true } });
    });

    test("plays the demo", async () => {
      await using storage = await LOCAL.environment();
      const port = String(freePort()); // part of the origin of passkeys
      await using _service = await file.start({ ...ENV, ...storage.env, PORT: port });
      expect(await file.run(["demo", "--quiet"], { PORT: port })).toMatchObject({
        status: 0,
        output: expect.stringContaining("The whole life of a backup went as it should."),
      });
    });

    test("is built with a checksum, alike each time, and names no folder of the build", async () => {
      const [sum = "", name] = (await Bun.file(join(file.folder, "SHA256SUMS")).text()).trim().split("  ");
      expect(name).toBe("backup-service");
      expect((await readdir(file.folder)).toSorted()).toEqual(["SHA256SUMS", "backup-service"]);
      const bytes = await Bun.file(join(file.folder, "backup-service")).bytes();
      expect(new Bun.CryptoHasher("sha256").update(bytes).digest("hex")).toBe(sum);
      await using again = await buildFile(REVISION);
      expect(await Bun.file(join(again.folder, "SHA256SUMS")).text()).toStartWith(sum);
      const root = join(import.meta.dir, "../..");
      for (const place of [join(root, "src"), join(root, "node_modules"), file.folder])
        expect(Buffer.from(bytes.buffer).includes(place)).toBe(false);
    });
  });

if (AWS !== undefined)
  test("the one file checks bucket and tables", async () => {
    await using storage = await AWS.environment();
    expect(await file.run(["aws-setup"], storage.env)).toMatchObject({ status: 0 });
    const { status, output } = await file.run(["aws-setup", "--check"], storage.env);
    expect({ status, output }).toEqual({ status: 0, output: expect.not.stringContaining("MISSING") });
  });

/** What a browser gets, but for how the commands of this program are typed. */
async function page(url: string) {
  const response = await fetch(url);
  return {
    status: response.status,
    type: response.headers.get("content-type"),
    text: (await response.text()).replaceAll("bun run demo", "backup-service demo"),
  };
}

/** Resolves when the port of a service is closed. */
async function untilClosed(url: string): Promise<void> {
  for (;;) {
    const isOpen = await fetch(`${url}/health`, { keepalive: false }).then(
      () => true,
      () => false,
    );
    if (!isOpen) return;
  }
}

async function buildFolder(files: Readonly<Record<string, string>>) {
  const path = join(file.cwd, crypto.randomUUID());
  await mkdir(path);
  for (const [name, content] of Object.entries(files)) await writeFile(join(path, name), content);
  return { path, [Symbol.asyncDispose]: async () => {} };
}
