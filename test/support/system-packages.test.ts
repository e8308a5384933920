import { describe, expect, test } from "bun:test";
import { JAVA, type Machine, PYTHON, requireProgram } from "./system-packages.ts";

const COMMAND = "apt-get update && apt-get install -y default-jre-headless";

/** A machine on which an installation brings these programs, unless it fails. */
function machine({ installed = [] as string[], brings = [] as string[], mayInstall = true, fails = false }) {
  const ran: string[] = [];
  const there = new Set(installed);
  const made: Machine = {
    which: (program) => (there.has(program) ? `/bin/${program}` : null),
    mayInstall,
    async run(command) {
      ran.push(command);
      for (const program of fails ? [] : brings) there.add(program);
      return fails ? "E: no network" : null;
    },
  };
  return { ran, machine: made };
}

describe("a program that tests need", () => {
  test("is taken where it is, and nothing is installed", async () => {
    const { ran, machine: here } = machine({ installed: ["java"] });
    expect(await requireProgram(JAVA, here)).toBe("/bin/java");
    expect(ran).toEqual([]);
  });

  test("is found under any of its names, the first that is there", async () => {
    const { machine: here } = machine({ installed: ["b", "c"] });
    expect(await requireProgram({ ...JAVA, programs: ["a", "b", "c"] }, here)).toBe("/bin/b");
  });

  test("is not taken where its check fails", async () => {
    const { ran, machine: here } = machine({ installed: ["python3", "/usr/bin/python3"], fails: true });
    await expect(requireProgram(PYTHON, here)).rejects.toThrow("apt-get install -y python3-cryptography");
    expect(ran.slice(0, 2)).toEqual(
      ["python3", "/usr/bin/python3"].map((path) => `/bin/${path} -c "import cryptography"`),
    );
    const { machine: complete } = machine({ installed: ["/usr/bin/python3"] });
    expect(await requireProgram(PYTHON, complete)).toBe("/bin//usr/bin/python3");
  });

  test("is installed where that is possible without asking", async () => {
    const { ran, machine: here } = machine({ brings: ["java"] });
    expect(await requireProgram(JAVA, here)).toBe("/bin/java");
    expect(ran).toEqual([COMMAND]);
  });

  test("is asked for with one command where it cannot be installed", async () => {
    const { ran, machine: here } = machine({ mayInstall: false });
    await expect(requireProgram(JAVA, here)).rejects.toThrow(`\`${COMMAND}\` as root, or run the tests`);
    expect(ran).toEqual([]);
  });

  test("is asked for, with the reason, when the installation fails", async () => {
    const { machine: here } = machine({ fails: true });
    await expect(requireProgram(JAVA, here)).rejects.toThrow(/apt-get update .*no network/s);
  });
});
