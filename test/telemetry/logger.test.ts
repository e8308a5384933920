/** The log of a process as it appears on standard output. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";

const LOGGER = join(import.meta.dir, "../../src/telemetry/logger.ts");

/** Runs a program with a `log`; resolves to what it wrote, line by line, and to its exit code. */
async function output(program: string, format: "json" | "pretty") {
  const text = `import { createLogger } from ${JSON.stringify(LOGGER)};
    let failures = 0;
    const log = await createLogger({ level: "info", format: "${format}", onFailure: () => failures++ });
    ${program}`;
  const child = Bun.spawn([process.execPath, "-e", text], { stdout: "pipe", stderr: "pipe" });
  const written = (await new Response(child.stdout).text()).split("\n").filter((line) => line !== "");
  return { written, errors: await new Response(child.stderr).text(), exitCode: await child.exited };
}

async function run(program: string) {
  const { written, exitCode } = await output(program, "json");
  return { messages: written.map((line) => JSON.parse(line).msg), exitCode };
}

const lines = (count: number) => `for (let n = 0; n < ${count}; n++) log.info("line " + n);`;
const numbered = (count: number) => Array.from({ length: count }, (_, n) => `line ${n}`);

describe("the lines of a process", () => {
  for (const [name, end, exitCode] of [
    ["ends by itself", "", 0],
    ["exits", "process.exit(3);", 3],
    ["ends with an uncaught error", "throw new Error('no');", 1],
  ] as const)
    test(`that ${name} are all there, in order`, async () => {
      expect(await run(lines(5_000) + end)).toEqual({ messages: numbered(5_000), exitCode });
    });

  test("are written at once after a pause", async () => {
    // killed, it writes nothing any more; of two pauses the second is one also where the process stood still in the first
    const program = `${lines(2)} setTimeout(() => setTimeout(() => {
      log.info("line 2");
      process.kill(process.pid, "SIGKILL");
    }, 100), 100);`;
    expect((await run(program)).messages).toEqual(numbered(3));
  });

  test("are whole where several processes write to one pipe", async () => {
    const program = `import { createLogger } from ${JSON.stringify(LOGGER)};
      const log = await createLogger({ level: "info", format: "json" });
      for (let n = 0; n < 20_000; n++) log.info({ n }, "x".repeat(n % 300));`;
    const command = `"$BUN" -e "$PROGRAM" & "$BUN" -e "$PROGRAM" & wait`;
    const child = Bun.spawn(["sh", "-c", command], {
      env: { ...process.env, BUN: process.execPath, PROGRAM: program },
      stdout: "pipe",
    });
    const written = (await new Response(child.stdout).text()).trimEnd().split("\n");
    const sum = written.reduce((total, line) => total + JSON.parse(line).n, 0);
    expect([written.length, sum]).toEqual([40_000, 20_000 * 19_999]);
  });

  test("are written at once up to a warning, even in the middle of many", async () => {
    const program = `${lines(3)} log.warn("trouble"); log.info("after"); process.kill(process.pid, "SIGKILL");`;
    expect((await run(program)).messages).toEqual([...numbered(3), "trouble"]);
  });

  test("are few writes where there are many warnings", async () => {
    const program = `const fs = require("node:fs");
      const write = fs.writeSync;
      let writes = 0;
      fs.writeSync = (...parameters) => { writes++; return write(...parameters); };
      for (let n = 0; n < 100; n++) log.warn("line " + n);
      process.on("exit", () => console.error(writes));`;
    const { written, errors } = await output(program, "json");
    expect(written.length).toBe(100);
    expect(Number(errors)).toBeLessThan(10);
  });

  test("are written soon while the process has nothing to do", async () => {
    const program = `${lines(3)} setTimeout(() => process.kill(process.pid, "SIGKILL"), 500);`;
    expect((await run(program)).messages).toEqual(numbered(3));
  });

  for (const format of ["json", "pretty"] as const)
    test(`that cannot be written are lost, and those after them are not (${format})`, async () => {
      const program = `const fs = require("node:fs");
        const write = fs.writeSync;
        let isFull = true;
        fs.writeSync = (...parameters) => {
          if (isFull) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
          return write(...parameters);
        };
        log.warn("lost");
        setTimeout(() => {
          isFull = false;
          for (let n = 0; n < 5; n++) log.info("line " + n);
        }, 50);
        process.on("exit", () => console.error(failures));`;
      const { written, errors, exitCode } = await output(program, format);
      const found = written
        .map((line) => /line \d+|lost/.exec(line)?.[0])
        .filter((name) => name !== undefined);
      expect([found, Number(errors), exitCode]).toEqual([numbered(5), 1, 0]);
    });

  test("wait for a pipe that is full and says so", async () => {
    const program = `const fs = require("node:fs");
      const write = fs.writeSync;
      let calls = 0;
      fs.writeSync = (fd, bytes) => {
        if (++calls % 2 === 1) throw Object.assign(new Error("full"), { code: "EAGAIN" });
        return write(fd, bytes.subarray(0, 7));
      };
      ${lines(2)}`;
    expect((await run(program)).messages).toEqual(numbered(2));
  });

  test("have the causes of an error, the runtime's own too", async () => {
    const program = `const cause = await import("/nowhere.ts").catch((error) => error);
      log.error({ err: new Error("outer", { cause }) }, "failed");`;
    const [line = ""] = (await output(program, "json")).written;
    const { err } = JSON.parse(line);
    expect(err).toMatchObject({ type: "Error", message: "outer", cause: { type: "ResolveMessage" } });
    expect(err.cause.message).toContain("/nowhere.ts");
  });

  test("are for people to read in the pretty format", async () => {
    const { written, exitCode } = await output(`log.info({ url: "http://x" }, "listening");`, "pretty");
    expect(written.join("\n")).toMatch(/^\[.+\] .*INFO.*: .*listening.*\n.*url.*: .*"http:\/\/x".*$/s);
    expect(exitCode).toBe(0);
  });
});
