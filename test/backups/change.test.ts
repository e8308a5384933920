import { describe, expect, test } from "bun:test";
import { createAccess, type Proven } from "../../src/backups/authorise.ts";
import { createChanges, type Decide, requireDistinct } from "../../src/backups/change.ts";
import type { BackupMetadata } from "../../src/backups/model.ts";
import { createBackground } from "../../src/runtime/background.ts";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import type { Change, Conflict } from "../../src/storage/contract.ts";
import { codeOf } from "../support/error-of.ts";

const by: Proven = {
  factor: { scope: "MAIN", key: "EC_KEYPAIR|key" },
  nonces: [{ id: "n", expiresAtMs: 1 }],
  challengedAtMs: 0,
};

const blob = { key: "k", size: 1, sha256: "00" };
const key = (id: string) => ({ id, createdAt: 0, kind: { kind: "EC_KEYPAIR", publicKey: "key" } }) as const;
const backup = {
  backupId: "b",
  revision: "r1",
  changedAtMs: null,
  blob,
  metadata: { id: "b", manifestHash: "00", keys: [], factors: [key("1")], syncFactors: [], logId: "log" },
  versions: [],
};

/** Changes on a store that responds so to each commit, and the commits that were made. */
function changesOn(outcomes: readonly ("committed" | Conflict)[]) {
  const commits: Change[] = [];
  const logs: (string | null)[] = [];
  const discarded: string[] = [];
  const changes = createChanges({
    records: {
      async commit(change) {
        commits.push(change);
        return outcomes[commits.length - 1] ?? "committed";
      },
      consume: async () => ({ release: async () => {} }),
    },
    blobs: { delete: async (name) => void discarded.push(name) },
    clock: systemClock,
    background: createBackground({ error: () => {} }, { maxRunning: 1, maxWaiting: 1, maxWaitMs: 1 }),
    access: createAccess({
      locate: async () => ({ backupId: null, consumed: false }),
      read: async () => null,
    }),
    alerts: { signatureCounterWentBack: () => {} },
    random: systemRandom,
    eventFactory: {
      create({ logId }) {
        logs.push(logId);
        return [];
      },
    },
  });
  return { changes, commits, discarded, logs };
}

describe("a change while others commit", () => {
  const decide: Decide<BackupMetadata> = ({ metadata }) => ({ next: metadata });
  let revision = 1;
  const reload = async () => ({ ...backup, revision: `r${++revision}` });

  test("is decided on each new state, and gives up after five", async () => {
    revision = 1;
    const { changes, commits } = changesOn(Array(9).fill("revision"));
    expect(await codeOf(() => changes.change(by.nonces, backup, reload, decide))).toBe("conflicting_lock");
    const expected = ["r1", "r2", "r3", "r4", "r5"].map((at) => ({ revision: at }));
    expect(commits.map(({ expect }) => expect)).toEqual(expected);
  });

  test("is made at the fifth attempt", async () => {
    revision = 1;
    const { changes } = changesOn(Array(4).fill("revision"));
    const { before } = await changes.change(by.nonces, backup, reload, decide);
    expect(before.revision).toBe("r5");
  });

  test("ends where the backup was deleted and created again", async () => {
    const { changes, commits } = changesOn(["revision"]);
    const other = { ...backup, metadata: { ...backup.metadata, factors: [key("2")] } };
    const change = () => changes.change(by.nonces, backup, async () => other, decide);
    expect(await codeOf(change)).toBe("conflicting_lock");
    expect(commits).toHaveLength(1);
  });

  test.each([
    ["consumed", "already_used"],
    ["factor-claimed", "factor_already_exists"],
  ] as const)("ends at once with %s", async (outcome, code) => {
    const { changes, commits } = changesOn([outcome]);
    expect(await codeOf(() => changes.change(by.nonces, backup, reload, decide))).toBe(code);
    expect(commits).toHaveLength(1);
  });

  test("deletes what it leaves to be collected once it is committed, and not before", async () => {
    const collect = { blobs: [blob], logIds: [], notBeforeMs: 0 };
    for (const [outcome, deleted] of [["committed", ["k"]] as const, ["consumed", []] as const]) {
      const { changes, discarded } = changesOn([outcome]);
      const deletion = changes.change(by.nonces, backup, reload, () => ({ next: null, collect }));
      await deletion.catch(() => {});
      expect(discarded).toEqual([...deleted]);
    }
  });
});

test("the events of a change go to the log of the backup, unless the change deletes the log", async () => {
  const setAside = {
    ...{ deletionId: "d", deletedAtMs: 0, keepUntilMs: 1, deletedBy: null, logId: "log" },
    ...{ blob, versions: [], metadata: {} },
  };
  const reload = async () => backup;
  const { changes, logs } = changesOn([]);
  await changes.change(by.nonces, backup, reload, ({ metadata }) => ({ next: metadata }));
  await changes.change(by.nonces, backup, reload, () => ({ next: null, setAside }));
  await changes.change(by.nonces, backup, reload, () => ({ next: null }));
  expect(logs).toEqual(["log", "log", null]);
});

test("two equal nonces are one that was used before", async () => {
  const [nonce = { id: "", expiresAtMs: 0 }] = by.nonces;
  const other = { id: "other", expiresAtMs: 1 };
  expect(requireDistinct([nonce, other])).toEqual([nonce, other]);
  expect(await codeOf(() => requireDistinct([nonce, other, { ...nonce, expiresAtMs: 2 }]))).toBe(
    "already_used",
  );
});

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
