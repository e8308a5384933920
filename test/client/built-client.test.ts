/** The client as `bun run build:client` makes it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DRIVERS } from "../drivers.ts";
import { type InstalledClient, installClient } from "../support/installed-client.ts";
import { startService } from "../support/service.ts";
import { NODE, requireProgram } from "../support/system-packages.ts";
import { expectedLife } from "./journey.ts";

const [driver] = DRIVERS; // nothing about the runtime of a client depends on it
if (driver === undefined) throw new Error("there is no driver");

const ROOT = join(import.meta.dir, "../..");
const MAX_BYTES = 60 * 1024;

/** Runs a program in the folder of the app. */
async function run(command: readonly string[], cwd: string) {
  const child = Bun.spawn([...command], { cwd, stdout: "pipe", stderr: "pipe" });
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { status: await child.exited, output, errors };
}

/** The first block of the README, as an app at this URL of the service would have it. */
async function readmeProgram(url: string): Promise<string> {
  const readme = await Bun.file(join(ROOT, "src/client/README.md")).text();
  const [, program = ""] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
  expect(program).toContain('url: "http://localhost:8000"');
  return program.replace("http://localhost:8000", url);
}

describe("the built client", () => {
  let installed: InstalledClient;
  beforeAll(async () => {
    installed = await installClient();
    const journey = await Bun.build({ entrypoints: [`${import.meta.dir}/journey.ts`], target: "node" });
    const [script] = journey.outputs;
    if (script === undefined) throw new Error("there is no journey");
    await Bun.write(join(installed.app, "journey.mjs"), script);
    await Bun.write(
      join(installed.app, "live.mjs"),
      `import * as client from "backup-service-client";
       import * as accountKeys from "backup-service-client/account-key";
       import { live } from "./journey.mjs";
       const url = process.argv[2];
       console.log(JSON.stringify(await live(client, accountKeys, { url, withPasskey: false })));`,
    );
  });
  afterAll(() => installed[Symbol.asyncDispose]());

  test("is small", () => {
    const bundle = installed.files.find(({ name }) => name === "index.min.js");
    expect(bundle?.bytes).toBeLessThan(MAX_BYTES);
  });

  test("has no dependency, no module of a runtime, and no schema", async () => {
    const names = await readdir(installed.client, { recursive: true });
    const modules = names.filter((name) => /\.(js|d\.ts)$/.test(name));
    expect(modules).toEqual(expect.arrayContaining(["index.js", "index.min.js", "index.d.ts", "wire.d.ts"]));
    for (const name of modules) {
      const text = await Bun.file(join(installed.client, name)).text();
      const imported = [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map(([, module]) => module);
      expect(imported.filter((module) => !module?.startsWith("./") && !module?.startsWith("../"))).toEqual(
        [],
      );
      if (!name.startsWith("account-key"))
        expect([name, /TypeBox|secp256k1\.|\bBuffer\b|\bBun\./.exec(text)?.[0]]).toEqual([name, undefined]);
    }
    const manifest = await Bun.file(join(installed.client, "package.json")).json();
    expect(Object.keys(manifest)).not.toContain("dependencies");
  });

  test.each([
    ["Node", () => requireProgram(NODE)],
    ["Bun", async () => process.execPath],
  ])("creates, recovers, updates and brings back a backup in %s", async (_, program) => {
    const runtime = await program();
    await using service = await startService(driver);
    const { status, output, errors } = await run([runtime, "live.mjs", service.url], installed.app);
    expect([status, errors]).toEqual([0, ""]);
    expect(JSON.parse(output)).toEqual(expectedLife("EC_KEYPAIR"));
  });

  test("needs no WebCrypto where the app brings keys and hash, as in React Native", async () => {
    await Bun.write(
      join(installed.app, "native.mjs"),
      `import { createHash, generateKeyPairSync, sign } from "node:crypto";
       import { createBackupClient, idToken, keypair, keypairOf } from "backup-service-client";
       delete globalThis.crypto;
       delete AbortSignal.prototype.throwIfAborted;
       delete globalThis.structuredClone;
       const nativeKey = () => {
         const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
         const point = publicKey.export({ format: "der", type: "spki" }).subarray(-65);
         return keypairOf({ publicKey: point, sign: (message) => sign("sha256", message, privateKey) });
       };
       const sha256 = async (bytes) => createHash("sha256").update(bytes).digest();
       const client = createBackupClient({ url: process.argv[2], sha256 });
       const [main, sync, content] = [nativeKey(), nativeKey(), Uint8Array.of(1, 2, 3)];
       const account = { backupAccountId: "backup_account_02" + "${"ab".repeat(32)}" };
       const encryptionKey = { kind: "ICLOUD", encryptedKey: "a2V5" };
       await client.create({ main, sync, account, content, encryptionKey });
       const { content: recovered, metadata } = await client.recover(main);
       await client.sync(sync, { content: recovered, currentManifestHash: metadata.manifestHash });
       const account2 = idToken({ provider: "GOOGLE", sha256, createKeypair: nativeKey, signIn: async (nonce) => nonce });
       const { idToken: nonce } = await account2.signIn();
       const failed = await keypair().catch((error) => error.message);
       console.log(JSON.stringify({ recovered: [...recovered], nonce: nonce.length, failed }));`,
    );
    await using service = await startService(driver);
    const node = await requireProgram(NODE);
    const { status, output, errors } = await run([node, "native.mjs", service.url], installed.app);
    expect([status, errors]).toEqual([0, ""]);
    const failed = "there is no WebCrypto: use a secure origin, or pass a factor of `keypairOf`";
    expect(JSON.parse(output)).toEqual({ recovered: [1, 2, 3], nonce: 64, failed });
  });

  test("is what the first block of its README says", async () => {
    await using service = await startService(driver);
    const program = await readmeProgram(service.url);
    expect(program.split("\n").filter((line) => !/^\s*(\/\/.*)?$/.test(line)).length).toBeLessThanOrEqual(20);
    await Bun.write(join(installed.app, "readme.ts"), program);
    const { status, output, errors } = await run([process.execPath, "readme.ts"], installed.app);
    expect([status, errors]).toEqual([0, ""]);
    expect(output).toMatch(/^backup_account_[0-9a-f]{66} Hello\n$/);
  });

  test.each([
    ["the DOM", { lib: ["ESNext", "DOM"], types: [] }],
    ["Node", { lib: ["ESNext"], types: ["node"], typeRoots: [join(ROOT, "node_modules/@types")] }],
    ["no platform", { lib: ["ESNext"], types: [] }],
    ["a bundler", { lib: ["ESNext"], types: [], module: "ESNext", moduleResolution: "bundler" }],
  ])("has types that compile with those of %s alone", async (name, platform) => {
    await Bun.write(join(installed.app, "readme.ts"), await readmeProgram("http://localhost:8000"));
    await Bun.write(
      join(installed.app, "types.ts"),
      `import { createBackupClient, keypair, passkey, type EncryptionKey, type Metadata } from "backup-service-client";
       const client = createBackupClient({ url: "" });
       const metadata: Metadata = await client.metadata(await keypair());
       export const keys: EncryptionKey[] = metadata.keys;
       for await (const event of client.events(await keypair())) event.at.toFixed();
       // @ts-expect-error: an update names what it replaces
       await client.sync(await keypair(), { content: new Uint8Array(1) });
       // @ts-expect-error: a passkey cannot update
       await client.sync(passkey(), { content: new Uint8Array(1), currentManifestHash: "" });`,
    );
    const compilerOptions = { target: "ESNext", module: "NodeNext", strict: true, noEmit: true, ...platform };
    const usesPlatform = name === "the DOM" || name === "Node";
    await Bun.write(join(installed.app, "package.json"), '{"type":"module"}');
    await Bun.write(
      join(installed.app, "tsconfig.json"),
      JSON.stringify({ compilerOptions, files: ["types.ts", ...(usesPlatform ? ["readme.ts"] : [])] }),
    );
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    const { status, output } = await run([process.execPath, tsc, "--project", "."], installed.app);
    expect([status, output]).toEqual([0, ""]);
  });
});
