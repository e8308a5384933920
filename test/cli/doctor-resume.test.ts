/** A doctor that is killed, and the next one with the same file. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Fixture } from "../contract/fixture.ts";
import { DRIVERS, type TestStorage } from "../drivers.ts";
import { metadataOf, newStores, storeBackup } from "../maintenance/doctor/examined-stores.ts";
import { CLEAN_ENVIRONMENT } from "../support/clean-environment.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { runCommand } from "./run-command.ts";

/** Those that the doctor has not reached when it is killed would take it more than ten seconds. */
const [BACKUPS, PER_SECOND] = [200, 10];
/** The others have no factors, so that it reaches the records soon. */
const INDEXED = 10;

async function brokenStores(stores: Fixture): Promise<void> {
  const store = (index: number) => {
    const id = `b${index}`;
    return storeBackup(stores, id, index < INDEXED ? {} : { metadata: metadataOf(id, {}), claim: [] });
  };
  for (let from = 0; from < BACKUPS; from += 25)
    await Promise.all(Array.from({ length: 25 }, (_, index) => store(from + index)));
  for (let index = 7; index < BACKUPS; index += 20) {
    const stored = await stores.records.read(`b${index}`);
    await stores.blobs.delete(stored?.blob.key ?? "");
  }
}

/** Starts a doctor, and kills it once the file says that it is among the records. */
async function killedDoctor({ env }: TestStorage, args: readonly string[], file: string): Promise<void> {
  const child = Bun.spawn(["bun", "src/cli/doctor.ts", ...args, "--rate", `${PER_SECOND}`], {
    cwd: join(import.meta.dir, "../.."),
    env: { ...CLEAN_ENVIRONMENT, ...env },
    stdout: "ignore",
    stderr: "inherit",
  });
  const isAmongRecords = () =>
    existsSync(file) && /"part":"records","after":"/.test(readFileSync(file, "utf8"));
  while (!isAmongRecords() && child.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill("SIGKILL");
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
}

for (const driver of DRIVERS)
  describe(`bun run doctor --resume on ${driver.name}`, () => {
    test("goes on where a killed one was, and reports what both found; then the file is gone", async () => {
      await using stores = await newStores(driver.environment);
      await using folder = await temporaryFolder();
      await brokenStores(stores);
      const { env } = stores.storage;
      const file = join(folder.path, "run");
      const whole = JSON.parse((await runCommand("doctor", env, "--json", "--verify")).output);
      const args = ["--json", "--verify", "--resume", file];
      await killedDoctor(stores.storage, args, file);
      await appendFile(file, '{"kind":"blob-mis'); // as a torn write leaves it

      for (const other of [
        ["--json", "--resume", file],
        [...args, "--repair"],
      ]) {
        const { status, output } = await runCommand("doctor", env, ...other);
        expect(status).toBe(2);
        expect(JSON.parse(output).error).toBe(
          `${file} is of a run with other options, of another version, on another storage or before a restore: delete ${file} to begin with a whole run`,
        );
      }
      const left = readFileSync(file);
      const resumed = await runCommand("doctor", env, ...args);
      const { findings, summary } = JSON.parse(resumed.output);
      expect({ status: resumed.status, error: JSON.parse(resumed.output).error }).toEqual({
        status: 1,
        error: undefined,
      });
      const shown = (found: readonly object[]) => found.map((each) => JSON.stringify(each)).toSorted();
      expect(shown(findings)).toEqual(shown(whole.findings));
      expect(summary).toEqual(whole.summary);
      expect(existsSync(file)).toBe(false);

      await writeFile(file, left);
      const restored = await runCommand("doctor", env, ...args, "--restored");
      expect(restored.status).toBe(2);
      expect(JSON.parse(restored.output).error).toContain("before a restore");
    });
  });

test("a file that is none of the doctor's is refused and left as it is", async () => {
  const [driver] = DRIVERS;
  if (driver === undefined) throw new Error("no driver");
  await using stores = await newStores(driver.environment);
  await storeBackup(stores, "b1");
  await using folder = await temporaryFolder();
  const file = join(folder.path, "notes");
  for (const content of ["", "not mine\n", '{"doctor":2}\n']) {
    await writeFile(file, content);
    const { status, errors } = await runCommand("doctor", stores.storage.env, "--resume", file);
    expect(status).toBe(2);
    expect(errors).toContain(`${file} is not a file of this doctor: name another one`);
    expect(readFileSync(file, "utf8")).toBe(content);
  }
  for (const rate of ["0", "-1", "1.5", "fast", "10000000"])
    expect((await runCommand("doctor", stores.storage.env, `--rate=${rate}`)).errors).toContain(
      "--rate takes",
    );
});
