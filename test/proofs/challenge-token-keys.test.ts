import { describe, expect, test } from "bun:test";
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generatedChallengeTokenKey } from "../../src/proofs/challenge-token-keys.ts";
import { systemRandom } from "../../src/runtime/clock.ts";

const MODULE = join(import.meta.dir, "../../src");
const PROGRAM = `
  const { generatedChallengeTokenKey } = await import("${MODULE}/proofs/challenge-token-keys.ts");
  const { systemRandom } = await import("${MODULE}/runtime/clock.ts");
  const { secret } = await generatedChallengeTokenKey(process.argv[1], systemRandom);
  console.log(Buffer.from(secret).toString("hex"));
`;

async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), "challenge-token-key-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

describe("the generated key for challenge tokens", () => {
  test("is made once, and is another one elsewhere", async () => {
    await using one = await temporaryFolder();
    await using other = await temporaryFolder();
    const first = await generatedChallengeTokenKey(one.path, systemRandom);
    expect(first.secret).toHaveLength(32);
    expect(first.kid).toBe("generated");
    expect(await generatedChallengeTokenKey(one.path, systemRandom)).toEqual(first);
    expect((await generatedChallengeTokenKey(other.path, systemRandom)).secret).not.toEqual(first.secret);
  });

  test("is readable by its owner only, and no other file is left", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "data", "deep");
    await generatedChallengeTokenKey(path, systemRandom);
    const files = await readdir(path);
    expect(files).toHaveLength(1);
    expect((await stat(join(path, files[0] ?? ""))).mode & 0o777).toBe(0o600);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
  });

  for (const [name, content] of [
    ["empty", ""],
    ["too short", Buffer.alloc(31).toString("base64")],
    ["not base64", "secret!"],
  ])
    test(`is not replaced where the file is ${name}: tokens would become invalid without an error`, async () => {
      await using folder = await temporaryFolder();
      const file = join(folder.path, "challenge-token-key");
      await writeFile(file, `${content}\n`);
      await chmod(file, 0o600);
      const made = generatedChallengeTokenKey(folder.path, systemRandom);
      await expect(made).rejects.toThrow("should hold 32 bytes");
      await expect(made).rejects.not.toThrow("secret!");
      expect(await Bun.file(file).text()).toBe(`${content}\n`);
    });

  test("is the same for many who start at the same moment", async () => {
    await using folder = await temporaryFolder();
    const keys = await Promise.all(
      Array.from({ length: 20 }, () => generatedChallengeTokenKey(folder.path, systemRandom)),
    );
    expect(new Set(keys.map(({ secret }) => Buffer.from(secret).toString("hex"))).size).toBe(1);
    expect(await readdir(folder.path)).toHaveLength(1);
  });

  test("is the same for two processes that race", async () => {
    await using folder = await temporaryFolder();
    const run = () =>
      new Response(Bun.spawn(["bun", "-e", PROGRAM, folder.path], { stdout: "pipe" }).stdout).text();
    const [one, two] = await Promise.all([run(), run()]);
    expect(one).toMatch(/^[0-9a-f]{64}\n$/);
    expect(two).toBe(one);
  });
});
