import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { measureRoundTrips, ROUND_TRIP_LIMITS } from "./round-trips.ts";

for (const driver of DRIVERS)
  describe(`round trips to the stores (${driver.name})`, () => {
    test("no operation makes more of them one after the other than its limit", async () => {
      const counted = await measureRoundTrips(driver, 5);
      expect(counted.map(({ operation }) => operation)).toEqual(Object.keys(ROUND_TRIP_LIMITS));
      for (const { operation, sequential, calls } of counted)
        expect({ operation, calls, within: sequential <= (ROUND_TRIP_LIMITS[operation] ?? 0) }).toEqual({
          operation,
          calls,
          within: true,
        });
    });
  });
