/** What a response says about AWS's clock. The SDK, whose requests these are beside, is compared in client.test.ts. */
import { afterAll, beforeEach, describe, expect, setSystemTime, test } from "bun:test";
import { createDynamoDbClient } from "../../../../src/storage/aws/clients.ts";
import { learnTime } from "../../../../src/storage/aws/direct/clock.ts";
import { awsConfigAt } from "../../../support/aws-config.ts";

const NOW = "2026-02-03T04:05:06Z";
const nowMs = Date.parse(NOW);
const HOUR_MS = 3_600_000;
/** For how long a response may be on its way. */
const LIMIT_MS = 15 * 60_000;

const { config } = createDynamoDbClient(awsConfigAt("http://127.0.0.1:1"));

function responseAt(timeMs: number) {
  return { statusCode: 200, headers: { date: new Date(timeMs).toUTCString() } };
}

describe("AWS's time", () => {
  beforeEach(() => {
    setSystemTime(new Date(NOW));
    config.systemClockOffset = 0;
  });
  afterAll(() => {
    setSystemTime();
  });

  test.each([
    [0, HOUR_MS],
    [LIMIT_MS, HOUR_MS],
    [LIMIT_MS + 1, 0],
  ])("is learnt from a response that took %d ms: %d", async (tookMs, learntMs) => {
    await learnTime(config, responseAt(nowMs + HOUR_MS), nowMs - tookMs);
    expect(config.systemClockOffset).toBe(learntMs);
  });

  test("is the one that a refusal names, before that of the response", async () => {
    const refusal = Object.assign(new Error("skewed"), { ServerTime: "2026-02-03T06:05:06Z" });
    await learnTime(config, responseAt(nowMs + HOUR_MS), nowMs, refusal);
    expect(config.systemClockOffset).toBe(2 * HOUR_MS);
    await learnTime(config, responseAt(nowMs + HOUR_MS), nowMs, new Error("no time"));
    expect(config.systemClockOffset).toBe(HOUR_MS);
  });

  test("is not used where the SDK may not correct the clock", async () => {
    const fixed = { ...config, disableClockSkewCorrection: async () => true };
    await learnTime(fixed, responseAt(nowMs + HOUR_MS), nowMs);
    expect(fixed.systemClockOffset).toBe(0);
  });
});
