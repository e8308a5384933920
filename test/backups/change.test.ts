import { describe, expect, test } from "bun:test";
import { setImmediate } from "node:timers/promises";
import { createAccess, type Proven } from "../../src/backups/authorise.ts";
import { createChanges, type Decide, requireDistinct } from "../../src/backups/change.ts";
import { type BackupMetadata, factorRef, type MainFactor } from "../../src/backups/model.ts";
import type { StoredCredential } from "../../src/proofs/passkey/stored-credential.ts";
import { createBackground } from "../../src/runtime/background.ts";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import type { Nonce } from "../../src/runtime/nonce.ts";
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
function changesOn(
  outcomes: readonly ("committed" | Conflict)[],
  { wasConsumed = false, consuming = async () => {} } = {},
) {
  const commits: Change[] = [];
  const logs: (string | null)[] = [];
  const kinds: string[][] = [];
  const alerts: string[] = [];
  const consumed: (readonly Nonce[])[] = [];
  let released = 0;
  const discarded: string[] = [];
  const faults: string[] = [];
  const background = createBackground({ error: ({ task }) => void faults.push(task) });
  const changes = createChanges({
    records: {
      async commit(change) {
        commits.push(change);
        return outcomes[commits.length - 1] ?? "committed";
      },
      async consume(nonces) {
        consumed.push(nonces);
        await consuming();
        if (wasConsumed) return null;
        const release = async () => {
          await setImmediate(); // as a store would
          released++;
        };
        return { release };
      },
    },
    blobs: {
      async delete(name) {
        await setImmediate();
        discarded.push(name);
      },
    },
    clock: systemClock,
    background,
    access: createAccess({
      locate: async () => ({ backupId: null, consumed: false }),
      read: async () => null,
    }),
    alerts: { signatureCounterWentBack: (backupId) => void alerts.push(backupId) },
    random: systemRandom,
    eventFactory: {
      create({ logId }, events) {
        logs.push(logId);
        kinds.push(events.map(({ kind }) => kind));
        return [];
      },
    },
  });
  return {
    changes,
    background,
    faults,
    commits,
    discarded,
    logs,
    kinds,
    alerts,
    consumed,
    released: () => released,
  };
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
      const { changes, discarded, background } = changesOn([outcome]);
      const deletion = changes.change(by.nonces, backup, reload, () => ({ next: null, collect }));
      await deletion.catch(() => {});
      await background.settled();
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

test("a change stores the contents that it decides, or those that are there, and a deletion none", async () => {
  const { changes, commits } = changesOn([]);
  const contents = { blob: { ...blob, key: "other" }, versions: [] };
  const reload = async () => backup;
  await changes.change(by.nonces, backup, reload, ({ metadata }) => ({ next: metadata }));
  await changes.change(by.nonces, backup, reload, ({ metadata }) => ({ next: metadata, contents }));
  await changes.change(by.nonces, backup, reload, () => ({ next: null }));
  expect(commits.map(({ next }) => next?.blob.key ?? null)).toEqual(["k", "other", null]);
  expect(commits[0]?.next?.metadata).toMatchObject(backup.metadata);
});

test("a backup of an earlier release gets a log with its next change", async () => {
  const { logId: _, ...metadata } = backup.metadata;
  const { changes, commits, logs } = changesOn([]);
  await changes.change(
    by.nonces,
    { ...backup, metadata },
    async () => backup,
    (current) => ({
      next: current.metadata,
    }),
  );
  expect(logs).toEqual([expect.any(String)]);
  expect(commits[0]?.next?.metadata.logId).toBe(logs[0]);
});

test("blobs are deleted when a discard has ended", async () => {
  const { changes, discarded } = changesOn([]);
  await changes.discard(blob);
  expect(discarded).toEqual(["k"]);
});

/** A passkey that may be on several devices, with a counter stored, that showed this one. */
function counting(counter: number, stored = 5): Proven & Required<Pick<Proven, "passkey">> {
  const credential: StoredCredential = {
    publicKey: "",
    algorithm: "ES256",
    counter: stored,
    transports: [],
    aaguid: "",
    deviceType: "multiDevice",
    backedUp: true,
    userVerified: true,
  };
  const kind = { kind: "PASSKEY", credentialId: "c", registration: {}, label: "", credential } as const;
  const factor: MainFactor = { id: "p", createdAt: 0, kind };
  const metadata = { ...backup.metadata, factors: [factor] };
  const shown = { counter, backupEligible: true };
  const passkey = { backup: { ...backup, metadata }, consumed: false, shown };
  return { ...by, factor: factorRef("MAIN", factor), passkey };
}

describe("a change by a factor", () => {
  const more = [{ id: "more", expiresAtMs: 1 }];
  const decide: Decide<BackupMetadata> = ({ metadata }) => ({
    next: metadata,
    events: [{ kind: "MAIN_FACTOR_ADDED" }],
  });

  test("consumes its proof and what comes with it", async () => {
    const { changes, commits, kinds, alerts } = changesOn([]);
    await changes.changeBy(by, backup, decide, more);
    expect(commits.map(({ consume }) => consume)).toEqual([[...by.nonces, ...more]]);
    expect({ kinds, alerts }).toEqual({ kinds: [["MAIN_FACTOR_ADDED"]], alerts: [] });
  });

  test("keeps the counter of a passkey; one that went back is the first event, and is reported", async () => {
    for (const [counter, first] of [[6, []] as const, [4, ["SIGNATURE_COUNTER_WENT_BACK"]] as const]) {
      const { changes, commits, kinds, alerts } = changesOn([]);
      const passkey = counting(counter);
      await changes.changeBy(passkey, passkey.passkey.backup, decide);
      expect(commits[0]?.next?.metadata).toMatchObject({ factors: [{ kind: { credential: { counter } } }] });
      expect(kinds).toEqual([[...first, "MAIN_FACTOR_ADDED"]]);
      expect(alerts).toEqual(first.map(() => "b"));
    }
  });

  test("may have no other event than that of its counter", async () => {
    const { changes, kinds } = changesOn([]);
    const passkey = counting(4);
    await changes.changeBy(passkey, passkey.passkey.backup, ({ metadata }) => ({ next: metadata }));
    expect(kinds).toEqual([["SIGNATURE_COUNTER_WENT_BACK"]]);
  });

  test("reports no counter where nothing is committed", async () => {
    const { changes, alerts } = changesOn(["consumed"]);
    const passkey = counting(4);
    expect(await codeOf(() => changes.changeBy(passkey, passkey.passkey.backup, decide))).toBe(
      "already_used",
    );
    expect(alerts).toEqual([]);
  });
});

describe("a proof that is consumed while something else is done", () => {
  const act = async () => "done";
  const fail = () => Promise.reject(new Error("it failed"));
  const outage = { consuming: () => Promise.reject(new Error("outage")) };
  const issue = { id: "token", backupId: "b", holder: "h", expiresAtMs: 1 };
  const logged = { backup, events: [{ kind: "RECOVERED" }] } as const;

  test("needs no commit; its events go to the log of the backup", async () => {
    const { changes, commits, consumed, kinds, logs } = changesOn([]);
    expect(await changes.consumeDuring(by, act, { issue, logged })).toBe("done");
    expect(await changes.consumeDuring(by, act)).toBe("done");
    expect({ commits, consumed }).toEqual({ commits: [], consumed: [by.nonces, by.nonces] });
    expect({ kinds, logs }).toEqual({ kinds: [["RECOVERED"]], logs: ["log"] });
  });

  test("was consumed before: that is reported first", async () => {
    const { changes } = changesOn([], { wasConsumed: true });
    for (const run of [act, fail])
      expect(await codeOf(() => changes.consumeDuring(by, run))).toBe("already_used");
  });

  test("is released before a failure is reported", async () => {
    const { changes, released } = changesOn([]);
    await expect(changes.consumeDuring(by, fail)).rejects.toThrow("it failed");
    expect(released()).toBe(1);
  });

  test("fails in an outage, unless the other thing fails", async () => {
    const { changes, faults, released } = changesOn([], outage);
    await expect(changes.consumeDuring(by, act)).rejects.toThrow("outage");
    await expect(changes.consumeDuring(by, fail)).rejects.toThrow("it failed");
    expect({ faults, released: released() }).toEqual({ faults: [], released: 0 });
  });

  test.each([
    ["whose counter has to be kept", counting(6), { issue, logged }],
    ["whose backup has to get a log", by, { issue, logged: { ...logged, backup: withoutLog() } }],
  ])("is committed where it is of a factor %s, once the other thing is done", async (_, proven, more) => {
    const { changes, commits, consumed, kinds } = changesOn([]);
    const seen = async () => commits.length;
    expect(await changes.consumeDuring(proven, seen, more)).toBe(0);
    expect(commits).toHaveLength(1);
    expect(commits[0]).toMatchObject({ issue, consume: proven.nonces });
    expect({ consumed, kinds }).toEqual({ consumed: [], kinds: [["RECOVERED"]] });
    await expect(changes.consumeDuring(proven, fail, more)).rejects.toThrow("it failed");
    expect(commits).toHaveLength(1);
  });

  test("is committed without events and without a token where there are none", async () => {
    const { changes, commits, kinds } = changesOn([]);
    await changes.consumeDuring(counting(6), act);
    expect(kinds).toEqual([[]]);
    expect(commits[0] !== undefined && "issue" in commits[0]).toBe(false);
  });

  test("fails where that commit does", async () => {
    const { changes } = changesOn(["consumed"]);
    expect(await codeOf(() => changes.consumeDuring(counting(6), act))).toBe("already_used");
  });

  function withoutLog() {
    const { logId: _, ...metadata } = backup.metadata;
    return { ...backup, metadata };
  }
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
