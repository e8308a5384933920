import { afterAll, beforeAll, expect, setSystemTime, test } from "bun:test";
import { clockMessage, clockSkewMs, isClockError } from "../../../src/storage/aws/clock-skew.ts";

const NOW_MS = 1_750_000_000_000;
const MINUTE_MS = 60_000;

beforeAll(() => {
  setSystemTime(NOW_MS);
});
afterAll(() => {
  setSystemTime();
});

/** A refusal by a server whose clock is so much behind ours. */
function refusal(status: number | undefined, behindMs: number | null, members: object = {}): Error {
  const date = behindMs === null ? undefined : new Date(NOW_MS - behindMs).toUTCString();
  const $metadata = { httpStatusCode: status };
  return Object.assign(new Error("refused"), { $metadata, $response: { headers: { date } }, ...members });
}

test("a refusal by a server with another time is by a wrong clock, from four minutes on", () => {
  for (const status of [400, 401, 403]) {
    for (const skewMs of [4 * MINUTE_MS, -4 * MINUTE_MS, 60 * MINUTE_MS])
      expect(clockSkewMs(refusal(status, skewMs))).toBe(skewMs);
    for (const skewMs of [4 * MINUTE_MS - 1_000, -4 * MINUTE_MS + 1_000, 0, null])
      expect(clockSkewMs(refusal(status, skewMs))).toBeNull();
  }
});

test("the time that a refusal names counts before that of its response", () => {
  const ServerTime = new Date(NOW_MS - 10 * MINUTE_MS).toISOString();
  expect(clockSkewMs(refusal(403, 20 * MINUTE_MS, { ServerTime }))).toBe(10 * MINUTE_MS);
});

test("no other outcome is by a wrong clock", () => {
  for (const status of [undefined, 0, 1, 200, 399, 402, 404, 500])
    expect(clockSkewMs(refusal(status, 20 * MINUTE_MS))).toBeNull();
  expect(clockSkewMs({ ...refusal(403, 20 * MINUTE_MS) })).toBeNull();
  expect(clockSkewMs("text")).toBeNull();
});

test("AWS says by name or message that the time is the reason", () => {
  const named = (name: string, message: string) => Object.assign(new Error(message), { name });
  for (const name of ["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"])
    expect(isClockError(named(name, ""))).toBe(true);
  for (const message of ["Signature expired: 1 is now", "Signature not yet current: 1 is"])
    expect(isClockError(named("InvalidSignatureException", message))).toBe(true);
  expect(isClockError(named("InvalidSignatureException", "The signature does not match"))).toBe(false);
});

test("operators read how wrong the clock is, and in which direction", () => {
  const message = (skewMs: number | null) => clockMessage(skewMs).replace("the clock of this machine ", "");
  expect(message(null)).toBe("differs too much from AWS's");
  expect(message(4.4 * MINUTE_MS)).toBe("is 4 minutes ahead of AWS's");
  expect(message(-1000 * 60 * MINUTE_MS)).toBe("is 60000 minutes behind AWS's");
});
