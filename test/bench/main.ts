/** `bun run bench`: prints what the service costs. Figures of one run compare with each other, not with other runs. */
import { DRIVERS } from "../drivers.ts";
import { measureRoundTrips, ROUND_TRIP_LIMITS } from "./round-trips.ts";

const DELAY_MS = 20;

for (const driver of DRIVERS) {
  const rows = (await measureRoundTrips(driver, DELAY_MS)).map(
    ({ operation, sequential, calls, elapsedMs }) => ({
      operation,
      "round trips": sequential,
      limit: ROUND_TRIP_LIMITS[operation],
      "ms at 20 ms a call": Math.round(elapsedMs),
      calls: calls.join(" "),
    }),
  );
  process.stdout.write(
    `\nSequential round trips, ${driver.name}, each store call delayed by ${DELAY_MS} ms\n`,
  );
  process.stdout.write(`${Bun.inspect.table(rows)}\n`);
}
