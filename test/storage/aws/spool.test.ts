import { describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { IN_MEMORY_BYTES } from "../../../src/runtime/sizes.ts";
import { type Spooled, spool } from "../../../src/storage/aws/spool.ts";
import { SpoolMemory } from "../../../src/storage/aws/spool-memory.ts";
import { StorageUnavailable } from "../../../src/storage/contract.ts";
import { openFilesIn, temporaryFolder } from "../../support/temporary-folder.ts";

const MIB = 1024 * 1024;

async function bytesOf(spooled: Spooled): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync<Uint8Array>(spooled.read()));
}

/** In pieces as they arrive. */
function* arriving(content: Buffer): Iterable<Uint8Array> {
  for (let at = 0; at < content.length; at += 200_000) yield content.subarray(at, at + 200_000);
}

describe("content that is spooled", () => {
  for (const [where, maxBytes, files] of [
    ["in memory", 64 * MIB, 0],
    ["on disk, though it began in memory", 4 * MIB, 1],
    ["on disk", 0, 1],
  ] as const)
    test(`${where} is what arrived, as often as it is read, with its digest`, async () => {
      await using folder = await temporaryFolder();
      const content = randomBytes(3 * MIB + 1);
      await using spooled = await spool(arriving(content), new SpoolMemory(maxBytes), "a");
      expect(await openFilesIn(folder)).toHaveLength(files);
      const sha256 = createHash("sha256").update(content).digest("hex");
      expect(spooled.digest).toEqual({ size: content.length, sha256 });
      for (let read = 0; read < 2; read++) expect(content.equals(await bytesOf(spooled))).toBe(true);
    });

  test("is in memory where it is small, though there is no room, and otherwise in a file without a name", async () => {
    await using folder = await temporaryFolder();
    const none = new SpoolMemory(0);
    await using _small = await spool([randomBytes(IN_MEMORY_BYTES)], none, "a");
    expect(await openFilesIn(folder)).toEqual([]);
    await using _large = await spool([randomBytes(IN_MEMORY_BYTES + 1)], none, "a");
    expect((await openFilesIn(folder)).map(({ mode }) => mode & 0o777)).toEqual([0o600]);
    expect(await readdir(folder.path)).toEqual([]);
  });

  test("takes memory until it is disposed of, and none once it is on disk", async () => {
    await using folder = await temporaryFolder();
    const memory = new SpoolMemory(16 * MIB);
    const content = randomBytes(3 * MIB);
    const filesAfter = async (client: string) => {
      await using _spooled = await spool(arriving(content), memory, client);
      return (await openFilesIn(folder)).length;
    };
    const first = await spool(arriving(content), memory, "a");
    expect(await filesAfter("a")).toBe(1); // a quarter is the share of a client
    expect(await filesAfter("b")).toBe(0);
    await first[Symbol.asyncDispose]();
    expect(await filesAfter("a")).toBe(0);
    await using _onDisk = await spool(arriving(randomBytes(5 * MIB)), memory, "a");
    expect(await filesAfter("a")).toBe(1); // that of the other one
  });

  test("that fails takes no memory and no disk", async () => {
    await using folder = await temporaryFolder();
    const failure = new Error("interrupted");
    const memory = new SpoolMemory(16 * MIB);
    function* broken(bytes: number) {
      yield* arriving(randomBytes(bytes));
      throw failure;
    }
    for (const bytes of [3 * MIB, 5 * MIB])
      await expect(spool(broken(bytes), memory, "a")).rejects.toBe(failure);
    await using _spooled = await spool(arriving(randomBytes(4 * MIB)), memory, "a");
    expect(await openFilesIn(folder)).toEqual([]);
  });
});

test("the disk is not ready when it takes a file but no content", async () => {
  const source = join(import.meta.dir, "../../../src/storage/aws/spool.ts");
  const script = `const { requireSpool } = await import(${JSON.stringify(source)});
    process.stdout.write(await requireSpool().then(() => "ready", ({ name }) => name));`;
  const outcome = async (limit: string) => {
    const command = ["sh", "-c", `${limit} exec "$0" --eval "$1"`, process.execPath, script];
    const child = Bun.spawn(command, { stdio: ["ignore", "pipe", "inherit"] });
    return new Response(child.stdout).text();
  };
  expect(await outcome("")).toBe("ready");
  expect(await outcome("trap '' XFSZ; ulimit -f 0;")).toBe(StorageUnavailable.name);
});

test("the memory of each client and of all is bounded, and what is refused takes none", () => {
  const memory = new SpoolMemory(8 * MIB);
  expect(memory.reserve("a").growTo(2 * MIB + 1)).toBe(false); // the share of a client
  const byte = memory.reserve("a");
  expect(byte.growTo(1)).toBe(true);
  expect(memory.reserve("a").growTo(2 * MIB)).toBe(false);
  byte[Symbol.dispose]();
  const reservations = ["a", "b", "c", "d"].map((client) => memory.reserve(client));
  for (const reservation of reservations) expect(reservation.growTo(2 * MIB)).toBe(true);
  using late = memory.reserve("e");
  expect(late.growTo(1)).toBe(false);
  const [first] = reservations;
  expect(first?.growTo(2 * MIB + 1)).toBe(false);
  first?.[Symbol.dispose]();
  first?.[Symbol.dispose]();
  expect(first?.growTo(1)).toBe(false);
  expect(late.growTo(2 * MIB)).toBe(true);
  using later = memory.reserve("f");
  expect(later.growTo(1)).toBe(false);
});
