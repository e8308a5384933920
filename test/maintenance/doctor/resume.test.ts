/** An examination that goes on from where another was interrupted finds what one examination finds. */
import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import type { Checkpoint, Interrupted } from "../../../src/maintenance/doctor/checkpoint.ts";
import { Counts, type Examination } from "../../../src/maintenance/doctor/examination.ts";
import { examine } from "../../../src/maintenance/doctor/examine.ts";
import type { Finding } from "../../../src/maintenance/doctor/findings.ts";
import type { Fixture } from "../../contract/fixture.ts";
import { DRIVERS } from "../../drivers.ts";
import {
  examinationOf,
  kindsOf,
  letAge,
  mainRef,
  metadataOf,
  newStores,
  storeBackup,
} from "./examined-stores.ts";

/** More index rows than are examined between two places, and more than twice as many records. */
const BACKUPS = 140;

function verifying(stores: Fixture, more: Partial<Examination> = {}): Examination {
  return examinationOf(stores, { verify: true, ...more });
}

/** Interrupts an examination when it has reached a place for the `nth` time; `null` if it ends before. */
async function interruptedAt(stores: Fixture, nth: number) {
  const counts = new Counts();
  const findings: Finding[] = [];
  const at: { place: number; checkpoint: Omit<Checkpoint, "startedAtMs"> | null } = {
    place: 0,
    checkpoint: null,
  };
  const reached = (checkpoint: Omit<Checkpoint, "startedAtMs">) => {
    at.place += 1;
    if (at.place === nth) at.checkpoint = checkpoint;
  };
  const pace = async () => {
    if (at.checkpoint !== null) throw new Error("killed");
  };
  try {
    for await (const finding of examine(verifying(stores, { counts, reached, pace }))) {
      if (at.checkpoint !== null) break;
      findings.push(finding);
    }
  } catch (error) {
    if (!(error instanceof Error) || error.message !== "killed") throw error;
  }
  if (at.checkpoint === null) return null;
  const interrupted: Interrupted = {
    ...at.checkpoint,
    startedAtMs: stores.clock.nowMs(),
    found: new Set(findings.map(({ kind }) => kind)),
  };
  return { interrupted, findings };
}

async function brokenStores(stores: Fixture): Promise<void> {
  const store = (index: number) => {
    const id = `b${index}`;
    if (index % 20 === 3) return storeBackup(stores, id, { claim: [mainRef(`${id} main`)] }); // lacks a row
    if (index % 20 === 9) return storeBackup(stores, id, { metadata: metadataOf(id, {}) }); // rows without factor
    return storeBackup(stores, id);
  };
  for (let from = 0; from < BACKUPS; from += 20)
    await Promise.all(Array.from({ length: 20 }, (_, index) => store(from + index)));
  for (const index of [14, 74, 134]) {
    const stored = await stores.records.read(`b${index}`);
    await stores.blobs.delete(stored?.blob.key ?? "");
  }
  await stores.blobs.put("b1", [randomBytes(10)]);
  await letAge(stores);
  stores.clock.advance(10 * 60 * 60 * 1000); // so that nothing counts as changed since
}

const shown = (findings: readonly Finding[]) => findings.map((found) => JSON.stringify(found)).toSorted();

for (const driver of DRIVERS)
  describe(`an examination that was interrupted (${driver.name})`, () => {
    test("is finished by another one, wherever it was: both find together what a whole one finds", async () => {
      await using stores = await newStores(driver.environment);
      await brokenStores(stores);
      const whole = await Array.fromAsync(examine(verifying(stores)));
      expect(new Set(kindsOf(whole))).toEqual(
        new Set(["blob-missing", "blob-unreferenced", "factor-without-row", "row-without-factor"]),
      );
      const parts: string[] = [];
      for (let nth = 1; ; nth++) {
        const first = await interruptedAt(stores, nth);
        if (first === null) break;
        const { interrupted, findings } = first;
        parts.push(interrupted.place.part);
        const counts = new Counts();
        const rest = await Array.fromAsync(examine(verifying(stores, { counts, interrupted })));
        expect(shown([...findings, ...rest])).toEqual(shown(whole));
        if (interrupted.place.after !== null && interrupted.place.part === "records")
          expect(counts.backups).toBeLessThan(BACKUPS);
      }
      expect(parts).toEqual(["index", "records", "records", "records"]);
    });

    test("is finished with what has changed since in the part that it had examined", async () => {
      await using stores = await newStores(driver.environment);
      await brokenStores(stores);
      const first = await interruptedAt(stores, 4);
      const { interrupted } = first ?? {};
      const after = interrupted?.place.part === "records" ? interrupted.place.after : null;
      if (!interrupted || after === null) throw new Error("it was not interrupted among the records");
      const stored = await stores.records.read(after);
      if (stored === null) throw new Error("the last record that was examined is not there");
      const { blob, versions } = stored;
      const metadata = { ...stored.metadata, schemaVersion: 99 };
      const change = {
        backupId: after,
        expect: stored,
        next: { blob, versions, metadata },
      };
      expect(await stores.records.commit(change)).toBe("committed");
      const rest = await Array.fromAsync(examine(verifying(stores, { interrupted })));
      expect(rest.filter(({ kind }) => kind === "metadata-of-newer-version")).toMatchObject([
        { backupId: after },
      ]);
    });

    test("is finished without the deletion of a blob, where a missing one had been found", async () => {
      await using stores = await newStores(driver.environment);
      await storeBackup(stores, "b1");
      await stores.blobs.put("b1", [randomBytes(10)]);
      await letAge(stores);
      const found = new Set(["blob-missing"] as const);
      const place = { part: "records", after: "b1" } as const;
      const interrupted = { place, startedAtMs: stores.clock.nowMs(), areRowsMissing: false, found };
      const repairing = { repair: true, interrupted };
      const spared = await Array.fromAsync(examine(verifying(stores, repairing)));
      expect(spared).toMatchObject([{ kind: "blob-unreferenced", repaired: false }]);
      const counts = Object.assign(new Counts(), { backups: 1 });
      const without = { ...interrupted, found: new Set<never>() };
      const rest = await Array.fromAsync(
        examine(verifying(stores, { repair: true, interrupted: without, counts })),
      );
      expect(rest).toMatchObject([{ kind: "blob-unreferenced", repaired: true }]);
    });
  });
