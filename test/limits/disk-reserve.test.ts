import { describe, expect, test } from "bun:test";
import { createDiskReserve } from "../../src/limits/disk-reserve.ts";
import { SettableClock } from "../support/settable-clock.ts";

const MEASURED_EVERY_MS = 200;
const unavailable = expect.objectContaining({ code: "service_unavailable" });

function fixture(minFreeBytes: number, free: number | null) {
  const clock = new SettableClock();
  const changes: (readonly [hasRoom: boolean, freeBytes: number])[] = [];
  const disk = { free, measurements: 0, clock, changes };
  const reserve = createDiskReserve({
    minFreeBytes,
    clock,
    async freeBytes() {
      disk.measurements += 1;
      return disk.free;
    },
    log: {
      error: ({ freeBytes }) => changes.push([false, freeBytes]),
      info: ({ freeBytes }) => changes.push([true, freeBytes]),
    },
  });
  return { disk, reserve };
}

async function* pieces(...lengths: number[]) {
  for (const length of lengths) yield new Uint8Array(length);
}

describe("the reserve of free disk", () => {
  test("refuses while less is free, and says when that begins and ends", async () => {
    const { disk, reserve } = fixture(1_000, 1_000);
    await reserve.requireRoom();
    disk.free = 999;
    disk.clock.advance(MEASURED_EVERY_MS);
    for (let times = 0; times < 2; times++) await expect(reserve.requireRoom()).rejects.toEqual(unavailable);
    disk.clock.advance(MEASURED_EVERY_MS);
    await expect(reserve.requireRoom()).rejects.toEqual(unavailable);
    disk.free = 1_000;
    disk.clock.advance(MEASURED_EVERY_MS);
    await reserve.requireRoom();
    expect(disk.changes).toEqual([
      [false, 999],
      [true, 1_000],
    ]);
  });

  test("is measured a few times a second at most, for any number of requests", async () => {
    const { disk, reserve } = fixture(1_000, 1_000);
    await Promise.all(Array.from({ length: 100 }, () => reserve.requireRoom()));
    disk.clock.advance(MEASURED_EVERY_MS - 1);
    await reserve.requireRoom();
    expect(disk.measurements).toBe(1);
    disk.clock.advance(1);
    await reserve.requireRoom();
    expect(disk.measurements).toBe(2);
  });

  test("ends content that is on its way when the disk has become too full", async () => {
    const { disk, reserve } = fixture(1_000, 5_000);
    const taken: number[] = [];
    const take = async () => {
      for await (const piece of reserve.whileRoom(pieces(1, 2, 3))) {
        taken.push(piece.length);
        if (taken.length === 2) {
          disk.free = 0;
          disk.clock.advance(MEASURED_EVERY_MS);
        }
      }
    };
    await expect(take()).rejects.toEqual(unavailable);
    expect(taken).toEqual([1, 2]);
  });

  test("passes on content as it is while there is room, and its failure", async () => {
    const { reserve } = fixture(1_000, 5_000);
    const lengths = (await Array.fromAsync(reserve.whileRoom(pieces(1, 0, 3)))).map(({ length }) => length);
    expect(lengths).toEqual([1, 0, 3]);
    async function* failing() {
      yield new Uint8Array(1);
      throw new Error("the client went away");
    }
    await expect(Array.fromAsync(reserve.whileRoom(failing()))).rejects.toThrow("the client went away");
  });

  test("of nothing is not measured, and neither is one where there is always room", async () => {
    const none = fixture(0, 0);
    await none.reserve.requireRoom();
    await Array.fromAsync(none.reserve.whileRoom(pieces(1)));
    expect(none.disk.measurements).toBe(0);
    const { reserve } = fixture(1_000, null);
    await reserve.requireRoom();
  });
});
