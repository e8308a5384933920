/** `bun run dev` and `bun run start` in a clone. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { CLEAN_ENVIRONMENT } from "../support/clean-environment.ts";
import { copyRepository, type RepositoryCopy } from "../support/repository-copy.ts";

const FREE_PORTS = { PORT: "0", METRICS_PORT: "0", LOG_FORMAT: "json" };

describe("bun run dev", () => {
  for (const shell of ["system", "bun"])
    test(`starts without any configuration in the shell "${shell}", and Ctrl-C ends it`, async () => {
      await using copy = await copyRepository();
      const lines = await startedAndEnded(copy, ["run", `--shell=${shell}`, "dev"]);
      expect(lines[0]).toContain('"environment":"development"');
      expect(lines[0]).toContain('"storage":"local (./data)"');
      expect(lines.at(-1)).toContain("stopped");
      expect(await Bun.file(join(copy.folder, "data/records.sqlite")).exists()).toBe(true);
    });

  test("takes the settings of a .env for development", async () => {
    await using copy = await copyRepository({
      files: { ".env": "APP_ENV=development\nDATA_DIR=./elsewhere\n" },
    });
    expect((await startedAndEnded(copy, ["run", "dev"]))[0]).toContain('"storage":"local (./elsewhere)"');
  });

  const PRODUCTION = "export APP_ENV='production'\nDATA_DIR=./production-data\n";
  const refused: readonly (readonly [string, Record<string, string>, Record<string, string>, string])[] = [
    ["a production .env", { ".env": PRODUCTION }, {}, ".env has APP_ENV=production"],
    [
      "a production .env, though APP_ENV says development",
      { ".env": PRODUCTION },
      { APP_ENV: "development" },
      ".env has APP_ENV=production",
    ],
    [
      "a .env.local for staging",
      { ".env.local": "APP_ENV = staging\n" },
      {},
      ".env.local has APP_ENV=staging",
    ],
    ["APP_ENV=production", {}, { APP_ENV: "production" }, "the environment has APP_ENV=production"],
  ];
  for (const [name, files, env, reason] of refused)
    test(`opens no data with ${name}, and reports the reason`, async () => {
      await using copy = await copyRepository({ files });
      const { status, errors } = await copy.run(["run", "dev"], { ...FREE_PORTS, ...env });
      expect(status).toBe(1);
      expect(errors).toContain(`Cannot start: bun run dev is for development, and ${reason}.`);
      expect(errors).toContain("bun run start");
      for (const folder of ["data", "production-data"])
        expect(await Bun.file(join(copy.folder, folder, "records.sqlite")).exists()).toBe(false);
    });
});

test("bun run start sets the engine's memory to 256 MiB, also in Bun's shell", async () => {
  await using copy = await copyRepository({
    files: { "src/main.ts": "process.stdout.write(String(process.env.BUN_JSC_forceRAMSize));" },
  });
  for (const shell of ["system", "bun"])
    expect((await copy.run(["run", `--shell=${shell}`, "start"])).output).toBe("268435456");
});

/** What the service logs from its start until its end after a SIGINT to all processes of the command. */
async function startedAndEnded({ folder }: RepositoryCopy, args: readonly string[]): Promise<string[]> {
  const child = Bun.spawn([process.execPath, ...args], {
    cwd: folder,
    env: { ...CLEAN_ENVIRONMENT, BUN_OPTIONS: "", ...FREE_PORTS },
    stdout: "pipe",
    stderr: "pipe",
    detached: true, // a process group of its own, as a terminal makes one
  });
  const errors = new Response(child.stderr).text();
  let written = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    if (!written.includes('"url"') && (written + chunk).includes('"url"')) process.kill(-child.pid, "SIGINT");
    written += chunk;
  }
  await child.exited;
  const lines = written.split("\n").filter((line) => line.startsWith("{"));
  if (lines.length === 0) throw new Error(`the service did not start: ${await errors}`);
  return lines;
}
