/** What an install contains and runs. */
import { describe, expect, test } from "bun:test";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { productionPackages } from "../support/production-packages.ts";
import { copyRepository } from "../support/repository-copy.ts";
import { runBun } from "../support/run-bun.ts";
import { TEST_CHALLENGE_TOKEN_KEYS } from "../support/service.ts";
import { startProcess } from "../support/service-process.ts";

const ROOT = join(import.meta.dir, "../..");
/** By default Bun runs the install script of this package, which reports installs to its publisher. */
const TRUSTED_BY_DEFAULT = "@scarf/scarf";

describe("an install", () => {
  test("has no package with an install script in bun.lock", async () => {
    const lock = await Bun.file(join(ROOT, "bun.lock")).text();
    expect(lock).toContain('"elysia@');
    expect(lock).not.toContain("hasInstallScript");
    expect(lock).not.toContain(`${TRUSTED_BY_DEFAULT}@`);
    expect(packageJson.trustedDependencies).toEqual([]);
  });

  test("runs no script of a package, not even of one that is trusted", async () => {
    expect(await runsScripts("")).toBe(true);
    expect(await runsScripts(await Bun.file(join(ROOT, "bunfig.toml")).text())).toBe(false);
  });
});

describe("a production install", () => {
  test("has nothing that only the tests or the making of the API document need", () => {
    const names = productionPackages();
    expect(names).toContain("elysia");
    for (const name of ["@redocly/cli", "@elysiajs/swagger", "@scalar/fastify-api-reference", "undici"])
      expect(names).not.toContain(name);
  });

  test("has everything that the service needs in production", async () => {
    await using copy = await copyRepository({ packages: productionPackages() });
    await using service = await startProcess({ ...environment(copy.folder), APP_ENV: "production" }, copy);
    expect((await fetch(`${service.url}/health`)).status).toBe(200);
    expect((await fetch(`${service.url}/docs`)).status).toBe(404);
    expect(service.lines.join("\n")).not.toContain("docs");
  });

  test("serves the API reference in production when it is asked to", async () => {
    await using copy = await copyRepository({ packages: productionPackages() });
    const env = { ...environment(copy.folder), APP_ENV: "production", API_REFERENCE: "true" };
    await using service = await startProcess(env, copy);
    expect(service.lines.join("\n")).toContain('"docs"');
    for (const path of [
      "/docs",
      "/docs/scalar.js",
      "/docs/openapi.json",
      "/guide",
      "/openapi.json",
      "/openapi-3.0.json",
    ])
      expect([path, (await fetch(service.url + path)).status]).toEqual([path, 200]);
  });
});

function environment(folder: string): Record<string, string> {
  return {
    CHALLENGE_TOKEN_KEYS: TEST_CHALLENGE_TOKEN_KEYS,
    STORAGE_DRIVER: "local",
    DATA_DIR: join(folder, "data"),
    WEBAUTHN_RP_ID: "example.com",
    WEBAUTHN_ORIGINS: "https://example.com",
    ATTESTATION: "off",
    TRUSTED_PROXY_HOPS: "0",
  };
}

/** Whether `bun install` runs the script of a trusted package, from a registry on this machine. */
async function runsScripts(bunfig: string): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), "backup-service-install-"));
  try {
    const source = join(folder, "source", "package");
    const project = join(folder, "project");
    await mkdir(source, { recursive: true });
    await mkdir(project);
    const name = "has-a-script";
    const published = {
      name,
      version: "1.0.0",
      scripts: { postinstall: "echo ran > ran" },
    };
    await writeFile(join(source, "package.json"), JSON.stringify(published));
    const tarball = join(folder, "package.tgz");
    await Bun.spawn(["tar", "-czf", tarball, "-C", join(folder, "source"), "package"]).exited;
    const answer = (origin: string) => ({
      name,
      "dist-tags": { latest: "1.0.0" },
      versions: { "1.0.0": { ...published, dist: { tarball: `${origin}/package.tgz` } } },
    });
    using registry = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: ({ url }) =>
        url.endsWith(".tgz") ? new Response(Bun.file(tarball)) : Response.json(answer(new URL(url).origin)),
    });
    const dependent = { name: "project", dependencies: { [name]: "1.0.0" }, trustedDependencies: [name] };
    await writeFile(join(project, "package.json"), JSON.stringify(dependent));
    await writeFile(join(project, "bunfig.toml"), bunfig);
    await cp(join(ROOT, "src"), join(project, "src"), { recursive: true }); // bunfig.toml preloads a file of it
    const env = { BUN_CONFIG_REGISTRY: registry.url.href, BUN_INSTALL_CACHE_DIR: join(folder, "cache") };
    const { status, errors } = await runBun(["install"], { cwd: project, env });
    if (status !== 0) throw new Error(`bun install failed: ${errors}`);
    const installed = join(project, "node_modules", name);
    expect(await Bun.file(join(installed, "package.json")).exists()).toBe(true);
    return await Bun.file(join(installed, "ran")).exists();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
