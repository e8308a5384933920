import { expect, test } from "bun:test";
import { once, openFixture } from "../../contract/fixture.ts";
import { DRIVERS } from "../../drivers.ts";
import { newLocalStorage } from "../../support/local-storage.ts";

/** How many rows a sweep deletes at a time. */
const BATCH = 1_000;

if (DRIVERS.some((driver) => driver.name === "local"))
  test.each([BATCH, 2 * BATCH + 1])("all of %d expired rows are swept, and the others stay", async (rows) => {
    await using store = await openFixture(newLocalStorage);
    const { records, clock } = store;
    const nonces = Array.from({ length: rows }, (_, row) => once(`${row}`, clock));
    await records.consume(nonces);
    const later = { id: "later", expiresAtMs: clock.nowMs() + 10 * 60_000 };
    await records.consume([later]);
    clock.set(nonces[0]?.expiresAtMs ?? 0);
    expect(await records.countExpired()).toBe(rows);
    expect(await records.sweepExpired()).toBe(rows);
    expect(await records.countExpired()).toBe(0);
    expect(await records.isConsumed([later])).toBe(true);
  });
