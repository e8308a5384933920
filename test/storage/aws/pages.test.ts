import { describe, expect, test } from "bun:test";
import { pagesOf } from "../../../src/storage/aws/pages.ts";
import { StorageUnavailable } from "../../../src/storage/contract.ts";

/** Reads a list whose page `n` is followed by page `nextOf(n)`, from page 0. */
async function pagesRead(nextOf: (page: number) => number | undefined, from?: number): Promise<number[]> {
  const read: number[] = [];
  const list = pagesOf("the list could not be read", from, async (mark = 0) => ({
    page: mark,
    next: nextOf(mark),
  }));
  try {
    for await (const page of list) read.push(page);
  } catch (error) {
    if (!(error instanceof StorageUnavailable)) throw error;
    read.push(Number.NaN); // ended by the error
  }
  return read;
}

describe("the pages of a list", () => {
  test("are read to the last one, each once", async () => {
    const pages = Array.from({ length: 1000 }, (_, page) => page);
    expect(await pagesRead((page) => pages[page + 1])).toEqual(pages);
    expect(await pagesRead((page) => pages[page + 1], 990)).toEqual(pages.slice(990));
    expect(await pagesRead(() => undefined)).toEqual([0]);
  });

  test("end with an error where a page names itself, which is not passed on", async () => {
    expect(await pagesRead(() => 7)).toEqual([0, Number.NaN]);
    expect(await pagesRead(() => 7, 7)).toEqual([Number.NaN]);
  });

  for (const [ahead, cycle] of [
    [0, 2],
    [0, 3],
    [1, 1],
    [5, 4],
    [40, 7],
    [100, 1],
    [3, 200],
  ] as const)
    test(`end with an error where ${cycle} are named again and again after ${ahead}`, async () => {
      const read = await pagesRead((page) => (page + 1 < ahead + cycle ? page + 1 : ahead));
      expect(read.at(-1)).toBeNaN();
      expect(read.length).toBeLessThanOrEqual(3 * (ahead + cycle));
    });
});
