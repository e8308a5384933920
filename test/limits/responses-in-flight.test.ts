import { describe, expect, test } from "bun:test";
import { TooManyRequests } from "../../src/limits/rate-limiter.ts";
import { createResponsesInFlight } from "../../src/limits/responses-in-flight.ts";
import { currentRequest } from "../../src/runtime/current-request.ts";
import { codeOf, errorOf } from "../support/error-of.ts";
import { SettableClock } from "../support/settable-clock.ts";

const MIB = 1024 * 1024;

/** For 200 MiB together, so for 50 MiB of one address. */
function fixture(maxBytes = 200 * MIB) {
  const clock = new SettableClock();
  const responses = createResponsesInFlight(maxBytes, clock);
  const admit = (backupId: string, address: string, bytes = MIB) =>
    responses.admit({ backupId, address, bytes });
  return { responses, clock, admit };
}

/** A response that is read until the test sets `isOver`. */
function slowResponse() {
  const seen = { isOver: false, ended: [] as boolean[], idleLimits: [] as number[] };
  return {
    seen,
    response: {
      isOver: () => seen.isOver,
      limitIdle: (seconds: number) => void seen.idleLimits.push(seconds),
      end: (isLate: boolean) => void seen.ended.push(isLate),
    },
  };
}

describe("large responses in flight", () => {
  test("are two at most about one backup, whether they are being made or read", async () => {
    const { admit } = fixture();
    const making = admit("b1", "a");
    const reading = admit("b1", "b");
    const { response, seen } = slowResponse();
    reading.keepUntilOver(MIB, response);
    reading.release(); // not while it is read
    const refusal = await errorOf(async () => admit("b1", "c"));
    expect(refusal).toBeInstanceOf(TooManyRequests);
    expect(refusal.code).toBe("too_many_requests");
    admit("b2", "c");

    making.release();
    making.release();
    admit("b1", "c");
    expect(await codeOf(async () => admit("b1", "c"))).toBe("too_many_requests");
    seen.isOver = true;
    admit("b1", "c");
    expect(seen.ended).toEqual([false]);
  });

  test("end each for the request that it belongs to", async () => {
    const { admit } = fixture();
    const ended: unknown[] = [];
    const all = ["first", "second"].map((id) =>
      currentRequest.run({ id, client: "", app: null, clientApp: null }, () => {
        const { response, seen } = slowResponse();
        const end = () => ended.push(currentRequest.getStore()?.id);
        admit(id, id).keepUntilOver(MIB, { ...response, end });
        return seen;
      }),
    );
    for (const seen of all) seen.isOver = true;
    admit("b3", "c");
    expect(ended).toEqual(["first", "second"]);
  });

  test("take a share of the disk at most for one address, and have all of it together", async () => {
    const { responses, admit } = fixture();
    admit("b1", "a", 25 * MIB);
    const reservation = admit("b2", "a", 25 * MIB);
    expect(await codeOf(async () => admit("b3", "a", 1))).toBe("too_many_requests");
    admit("b4", "b", 50 * MIB);
    admit("b5", "c", 50 * MIB);
    admit("b6", "d", 49 * MIB);
    expect(responses.bytes).toBe(199 * MIB);
    expect(await codeOf(async () => admit("b7", "e", 2 * MIB))).toBe("service_unavailable");
    admit("b7", "e", MIB);
    reservation.release();
    admit("b3", "a", 25 * MIB);
  });

  test("take what they have become once they are sent", async () => {
    const { responses, admit } = fixture();
    admit("b1", "a", 45 * MIB).keepUntilOver(50 * MIB, slowResponse().response);
    expect(responses.bytes).toBe(50 * MIB);
    expect(await codeOf(async () => admit("b2", "a", 1))).toBe("too_many_requests");
  });

  test("in the way of others are aborted when their clients read nothing", async () => {
    const { admit } = fixture(20 * MIB);
    const [first, second, other] = [slowResponse(), slowResponse(), slowResponse()];
    const limits = () => [first, second, other].map(({ seen }) => seen.idleLimits.length);
    admit("b1", "a").keepUntilOver(MIB, first.response);
    admit("b1", "a").keepUntilOver(MIB, second.response);
    admit("b2", "a").keepUntilOver(MIB, other.response);
    await errorOf(async () => admit("b1", "b"));
    expect(limits()).toEqual([1, 1, 0]);
    await errorOf(async () => admit("b3", "a", 3 * MIB));
    expect(limits()).toEqual([2, 2, 1]);
    await errorOf(async () => admit("b3", "b", 8 * MIB));
    expect(limits()).toEqual([2, 2, 1]); // more than the share of an address: no other is in the way
    for (const address of ["b", "c", "d"]) admit(`of ${address}`, address, 5 * MIB);
    await errorOf(async () => admit("b4", "e", 3 * MIB));
    expect(limits()).toEqual([3, 3, 2]);
    expect(new Set(first.seen.idleLimits)).toEqual(new Set([20]));
    for (const { seen } of [first, second, other]) seen.isOver = true;
    admit("b5", "f");
  });

  test("have to be read at 64 KiB/s on average, with 30 s to spare", async () => {
    const { responses, admit, clock } = fixture();
    const { response, seen } = slowResponse();
    admit("b1", "a").keepUntilOver(20 * MIB, response);
    clock.advance(30_000 + 320_000 - 1);
    admit("b2", "a").release();
    expect(seen.ended).toEqual([]);
    clock.advance(1);
    while (seen.ended.length === 0) await new Promise(setImmediate); // no request is needed
    expect(seen.ended).toEqual([true]);
    expect(responses.bytes).toBe(0);
  });
});
