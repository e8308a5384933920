import { describe, expect, test } from "bun:test";
import { chunksOf, tapped } from "../../src/runtime/chunks.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

/** These chunks, and how often they were released. */
function source(all: readonly (Uint8Array | Error)[]) {
  const left = [...all];
  const log = { ends: 0 };
  const chunks = chunksOf(
    async () => {
      const next = left.shift() ?? null;
      if (next instanceof Error) throw next;
      return next;
    },
    async () => {
      log.ends += 1;
    },
  );
  return { chunks, log };
}

describe("chunks", () => {
  test("are what the source gives, empty ones too, and it is released once", async () => {
    const { chunks, log } = source([bytes(1), bytes(), bytes(2, 3)]);
    expect(await Array.fromAsync(chunks)).toEqual([bytes(1), bytes(), bytes(2, 3)]);
    expect(await chunks.next()).toEqual({ done: true, value: undefined });
    expect(await chunks.return()).toEqual({ done: true, value: undefined });
    expect(log.ends).toBe(1);
  });

  test("end with the source's failure, which is reported once", async () => {
    const { chunks, log } = source([bytes(1), new Error("gone"), bytes(2)]);
    await chunks.next();
    expect(await chunks.next().catch((error) => error.message)).toBe("gone");
    expect(await chunks.next()).toEqual({ done: true, value: undefined });
    expect(log.ends).toBe(1);
  });

  test("are released by a loop that breaks off", async () => {
    const { chunks, log } = source([bytes(1), bytes(2)]);
    for await (const _chunk of chunks) break;
    expect(log.ends).toBe(1);
    expect((await chunks.next()).done).toBe(true);
  });

  test("that are tapped are the same, and each is seen before it is passed on", async () => {
    const { chunks, log } = source([bytes(1), bytes(2)]);
    const seen: Uint8Array[] = [];
    const taken = tapped(chunks, (chunk) => void seen.push(chunk));
    expect(await taken.next()).toEqual({ done: false, value: bytes(1) });
    expect(seen).toEqual([bytes(1)]);
    await taken.return();
    expect(log.ends).toBe(1);
  });

  test("that are tapped end where a piece is refused", async () => {
    const { chunks, log } = source([bytes(1), bytes(2)]);
    const taken = tapped(chunks, async ([first]) => {
      if (first === 2) throw new Error("refused");
    });
    await taken.next();
    await expect(taken.next()).rejects.toThrow("refused");
    expect(await taken.next()).toEqual({ done: true, value: undefined });
    expect(log.ends).toBe(1);
  });
});
