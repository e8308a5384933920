import { describe, expect, test } from "bun:test";
import { Arrival } from "../../src/limits/arrival.ts";
import {
  createUploadBudget,
  type MemoryReservation,
  type UploadBudget,
} from "../../src/limits/upload-budget.ts";
import { SettableClock } from "../support/settable-clock.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const unavailable = expect.objectContaining({ code: "service_unavailable" });

let lastAddress = 0;

/** An upload of 15 MiB, from an address of its own if none is given. */
function admitted(
  budget: UploadBudget,
  {
    address = `client ${++lastAddress}`,
    clock = new SettableClock(),
    declaredBytes = 15 * MIB,
    mayBeUnread = false,
  } = {},
) {
  const arrival = new Arrival(clock);
  const ended: string[] = [];
  const body = { address, arrival, mayBeUnread, end: ({ code }: { code: string }) => void ended.push(code) };
  return { body, reservation: budget.admit(body, declaredBytes), arrival, ended };
}

const uploads = (budget: UploadBudget, count: number, options: Parameters<typeof admitted>[1] = {}) =>
  Array.from({ length: count }, () => admitted(budget, options));

const streamed = ({ reservation }: { reservation: MemoryReservation }) => reservation.arrived(15 * MIB, 0);

describe("the memory for uploads", () => {
  test("goes to a few pieces of each upload, and comes back", () => {
    const budget = createUploadBudget(20 * MIB);
    const all = uploads(budget, 5);
    all.forEach(streamed);
    expect(budget.heldBytes).toBe(20 * MIB);
    expect(() => admitted(budget)).toThrow(unavailable);
    for (let time = 0; time < 2; time++) all[0]?.reservation[Symbol.dispose]();
    expect(budget.heldBytes).toBe(16 * MIB);
    streamed(admitted(budget));
    expect(() => admitted(budget, { declaredBytes: 100 * KIB })).toThrow(unavailable);
  });

  test("is not taken by what was declared and does not arrive", () => {
    const budget = createUploadBudget(10 * MIB);
    for (let n = 0; n < 100; n++) admitted(budget).reservation.arrived(5, 0);
    expect(budget.heldBytes).toBe(500);
    admitted(budget).reservation.arrived(9 * MIB, 0);
    expect(budget.heldBytes).toBe(4 * MIB + 500);
  });

  test("counts what may have arrived of bodies that are not read, until the service waits for them", () => {
    const budget = createUploadBudget(20 * MIB); // a share is 17
    const unread = uploads(budget, 14, { address: "one", mayBeUnread: true });
    expect(() => admitted(budget, { address: "one" })).toThrow(unavailable);
    const others = uploads(budget, 3, { mayBeUnread: true });
    expect(() => admitted(budget)).toThrow(unavailable);
    admitted(budget, { declaredBytes: 64 * KIB }); // small ones have an eighth more
    for (const { reservation } of others) reservation[Symbol.dispose]();
    for (const { body } of unread) body.mayBeUnread = false;
    admitted(budget, { address: "one" });
    expect(budget.heldBytes).toBe(0);
  });

  test("does not count that twice once it is read, nor beyond what is declared", () => {
    const budget = createUploadBudget(20 * MIB);
    for (const { reservation } of uploads(budget, 4, { mayBeUnread: true })) reservation.arrived(2 * MIB, 0);
    uploads(budget, 16, { mayBeUnread: true, declaredBytes: 512 * KIB });
    admitted(budget);
    expect(() => admitted(budget, { declaredBytes: 5 * MIB })).not.toThrow();
  });

  test("is not denied to others by what one address may have unread beyond its share", () => {
    const budget = createUploadBudget(256 * MIB);
    const slow = uploads(budget, 300, { address: "one" }); // they have sent nothing, so they take nothing
    let refused = 0;
    for (const { body, reservation } of slow) {
      body.mayBeUnread = true;
      try {
        reservation.arrived(64 * KIB, 64 * KIB);
      } catch (error) {
        expect(error).toEqual(unavailable);
        reservation[Symbol.dispose]();
        refused++;
      }
    }
    expect(300 - refused).toBe(72); // of a MiB each, with the eighth that small ones have
    expect(() => admitted(budget)).not.toThrow();
  });

  test("is not taken by a body that was refused, while its reading ends", () => {
    const budget = createUploadBudget(256 * MIB); // a share is 64
    const all = uploads(budget, 80, { address: "one" });
    for (const { body } of all) body.mayBeUnread = true;
    const isRefused = all.map(({ reservation }) => {
      try {
        reservation.arrived(128 * KIB, 0);
        return false;
      } catch (error) {
        expect(error).toEqual(unavailable);
        return true;
      }
    });
    expect(isRefused.filter(Boolean)).toHaveLength(16);
    for (const { reservation } of all) reservation[Symbol.dispose]();
    expect(budget.heldBytes).toBe(0);
  });

  test("is counted for a chunk without visiting the bodies of other addresses", () => {
    const budget = createUploadBudget(256 * MIB);
    let visited = 0;
    const ofOthers = {
      address: "other",
      arrival: { stalledMs: 0 },
      get mayBeUnread() {
        visited++;
        return false;
      },
      end: () => {},
    };
    for (let n = 0; n < 100; n++) budget.admit(ofOthers, 15 * MIB);
    const { reservation } = admitted(budget);
    visited = 0;
    for (let arrived = MIB; arrived <= 15 * MIB; arrived += MIB) reservation.arrived(arrived, 0);
    expect(visited).toBe(0);
  });

  test("is taken by the bytes of an upload that wait for its payload", () => {
    const budget = createUploadBudget(10 * MIB);
    const { reservation: waiting } = admitted(budget);
    waiting.arrived(4 * MIB, 4 * MIB);
    waiting.arrived(5 * MIB, 2 * MIB);
    expect(budget.heldBytes).toBe(4 * MIB);
    const { reservation: other } = admitted(budget, { declaredBytes: MIB });
    expect(() => other.arrived(7 * MIB, 7 * MIB)).toThrow(unavailable);
    waiting[Symbol.dispose]();
    other.arrived(7 * MIB, 7 * MIB);
  });

  test("is not taken by what arrives after its release", () => {
    const budget = createUploadBudget(20 * MIB);
    const { reservation } = admitted(budget);
    reservation.arrived(MIB, 0);
    reservation[Symbol.dispose]();
    reservation.arrived(2 * MIB, 0);
    expect(budget.heldBytes).toBe(0);
  });

  test("has some left for small bodies when uploads hold all of it", () => {
    const budget = createUploadBudget(20 * MIB);
    uploads(budget, 5).forEach(streamed);
    const small = () => admitted(budget, { declaredBytes: 64 * KIB }).reservation.arrived(64 * KIB, 64 * KIB);
    for (let n = 0; n < 40; n++) small();
    expect(budget.heldBytes).toBe(20 * MIB * (1 + 1 / 8));
    expect(small).toThrow(unavailable);
  });
});

describe("the share of one address", () => {
  const address = "192.0.2.1";

  test("is a quarter: the rest is for others", () => {
    const budget = createUploadBudget(256 * MIB);
    uploads(budget, 16, { address }).forEach(streamed);
    expect(() => admitted(budget, { address })).toThrow(unavailable);
    uploads(budget, 48).forEach(streamed);
    expect(budget.heldBytes).toBe(256 * MIB);
  });

  test("is available again once it is released", () => {
    const budget = createUploadBudget(256 * MIB);
    const all = uploads(budget, 16, { address });
    all.forEach(streamed);
    all[3]?.reservation[Symbol.dispose]();
    streamed(admitted(budget, { address }));
    expect(() => admitted(budget, { address })).toThrow(unavailable);
  });

  test("has room for one upload with the payload last, even the smallest one", () => {
    for (const maxBytes of [17 * MIB, 32 * MIB]) {
      const { reservation } = admitted(createUploadBudget(maxBytes), { address });
      reservation.arrived(16 * MIB, 16 * MIB);
    }
  });

  test("is not that of the first to come if its bodies stall", () => {
    const clock = new SettableClock();
    const budget = createUploadBudget(256 * MIB);
    const all = uploads(budget, 16, { address, clock });
    all.forEach(streamed);
    all[5]?.arrival.beginWait();
    clock.advance(2_000);
    streamed(admitted(budget, { address, clock }));
    expect(all.map(({ ended }) => ended.length)).toEqual(all.map((_, index) => (index === 5 ? 1 : 0)));
  });
});

describe("an upload that stalls", () => {
  function full({ count = 5, clock = new SettableClock() } = {}) {
    const budget = createUploadBudget(count * 4 * MIB);
    const all = uploads(budget, count, { clock });
    all.forEach(streamed);
    return { budget, all, clock, endedOnes: () => all.map(({ ended }) => ended.join()) };
  }

  test("is ended when another needs its memory: the longest stalled one", () => {
    const { budget, all, clock, endedOnes } = full();
    for (const index of [3, 1, 0]) {
      all[index]?.arrival.beginWait();
      clock.advance(1_000);
    }
    clock.advance(1_000);
    streamed(admitted(budget));
    expect(endedOnes()).toEqual(["", "", "", "service_unavailable", ""]);
    streamed(admitted(budget));
    expect(endedOnes()).toEqual(["", "service_unavailable", "", "service_unavailable", ""]);
    expect(budget.heldBytes).toBe(20 * MIB);
  });

  test("goes on while no other needs its memory", () => {
    const { all, clock, endedOnes } = full();
    all[0]?.arrival.beginWait();
    clock.advance(20_000);
    expect(endedOnes()).toEqual(["", "", "", "", ""]);
  });

  test("for less than two seconds is not ended", () => {
    const { budget, all, clock } = full();
    for (const { arrival } of all) arrival.beginWait();
    clock.advance(1_999);
    expect(() => admitted(budget)).toThrow(unavailable);
    clock.advance(1);
    streamed(admitted(budget));
  });

  test("because the service does not read is not ended", () => {
    const { budget, all, clock } = full();
    for (const { arrival } of all) {
      arrival.beginWait();
      arrival.endWait(100 * KIB);
    }
    clock.advance(60_000);
    expect(() => admitted(budget)).toThrow(unavailable);
  });

  test("even with a byte now and then", () => {
    const { budget, all, clock, endedOnes } = full();
    const arrive = (bytes: number, dribble: number) => {
      for (const [index, { arrival }] of all.entries()) arrival.endWait(index === 2 ? dribble : bytes);
      for (const { arrival } of all) arrival.beginWait();
      clock.advance(500);
    };
    for (let time = 0; time < 6; time++) arrive(16 * KIB, 1);
    streamed(admitted(budget));
    expect(endedOnes()).toEqual(["", "", "service_unavailable", "", ""]);
  });

  test("is left alone where ending it would not be enough", () => {
    const { budget, all, clock, endedOnes } = full({ count: 2 });
    all[0]?.arrival.beginWait();
    clock.advance(5_000);
    const { reservation } = admitted(budget, { declaredBytes: 0 });
    expect(() => reservation.arrived(5 * MIB, 5 * MIB)).toThrow(unavailable);
    expect(endedOnes()).toEqual(["", ""]);
  });
});
