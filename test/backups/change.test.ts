import { expect, test } from "bun:test";
import { createAccess, type Proven } from "../../src/backups/authorise.ts";
import { createChanges } from "../../src/backups/change.ts";
import { createBackground } from "../../src/runtime/background.ts";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";

const by: Proven = {
  factor: { scope: "MAIN", key: "EC_KEYPAIR|key" },
  nonces: [{ id: "n", expiresAtMs: 1 }],
  challengedAtMs: 0,
};

test("the nonces of a request that fails are released, also where background work is dropped", async () => {
  const reports: string[] = [];
  const log = { error: ({ task }: { readonly task: string }) => void reports.push(task) };
  const background = createBackground(log, { maxRunning: 0, maxWaiting: 0, maxWaitMs: 0 });
  let released = 0;
  const changes = createChanges({
    records: {
      commit: async () => "committed",
      consume: async () => ({ release: async () => void released++ }),
    },
    blobs: { delete: async () => {} },
    clock: systemClock,
    background,
    access: createAccess({
      locate: async () => ({ backupId: null, consumed: false }),
      read: async () => null,
    }),
    alerts: { signatureCounterWentBack: () => {} },
    random: systemRandom,
    eventFactory: { create: () => [] },
  });
  const outage = () => Promise.reject(new Error("outage"));
  await expect(changes.consumeDuring(by, outage)).rejects.toThrow("outage");
  expect({ released, reports }).toEqual({ released: 1, reports: [] });
  await changes.discard({ key: "k", size: 1, sha256: "00" });
  expect(reports).toEqual(["delete unreferenced blob"]);
});
