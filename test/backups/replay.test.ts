import { describe, expect, test } from "bun:test";
import { createReplayReporting } from "../../src/backups/replay.ts";
import { type ErrorCode, ServiceError } from "../../src/errors.ts";
import { PossibleReplay } from "../../src/proofs/possible-replay.ts";
import type { Nonce } from "../../src/runtime/nonce.ts";
import { StorageUnavailable } from "../../src/storage/contract.ts";

const NONCES = [{ id: "nonce", expiresAtMs: 1 }];

/** @param consumed whether the proof has been used before. */
function reporting(consumed: boolean) {
  const lookedUp: (readonly Nonce[])[] = [];
  const replays = createReplayReporting({
    async isConsumed(nonces) {
      lookedUp.push(nonces);
      return consumed;
    },
  });
  return { replays, lookedUp };
}

const failing = (error: Error) => async () => {
  throw error;
};

async function codeOf(call: Promise<unknown>): Promise<ErrorCode | "none"> {
  try {
    await call;
    return "none";
  } catch (error) {
    if (error instanceof ServiceError) return error.code;
    throw error;
  }
}

describe("an operation that a proof authorises", () => {
  test("costs no lookup where it succeeds", async () => {
    const { replays, lookedUp } = reporting(true);
    expect(await replays.run(NONCES, async () => "done")).toBe("done");
    expect(lookedUp).toEqual([]);
  });

  test("fails with already_used where the proof was used before, whatever else is wrong", async () => {
    const { replays, lookedUp } = reporting(true);
    const gone = failing(new ServiceError("backup_missing", "gone"));
    expect(await codeOf(replays.run(NONCES, gone))).toBe("already_used");
    expect(lookedUp).toEqual([NONCES]);
  });

  test("keeps its error where the proof was not used before", async () => {
    const { replays } = reporting(false);
    const gone = failing(new ServiceError("backup_missing", "gone"));
    expect(await codeOf(replays.run(NONCES, gone))).toBe("backup_missing");
  });

  test("reports an unknown outcome where a store did not respond", async () => {
    const { replays, lookedUp } = reporting(true);
    const lost = failing(new StorageUnavailable("no answer"));
    expect(await codeOf(replays.run(NONCES, lost))).toBe("service_unavailable");
    expect(lookedUp).toEqual([]);
  });

  test("costs no lookup where it is known that the proof was used before", async () => {
    const { replays, lookedUp } = reporting(false);
    const used = failing(new ServiceError("already_used", "used"));
    expect(await codeOf(replays.run(NONCES, used))).toBe("already_used");
    expect(lookedUp).toEqual([]);
  });

  test("passes on what is no error of the service", async () => {
    const { replays } = reporting(true);
    await expect(replays.run(NONCES, failing(new Error("a bug")))).rejects.toThrow("a bug");
  });

  test("looks up the nonces of a failure that may be a replay's, and reports either", async () => {
    const suspect = { id: "suspect", expiresAtMs: 1 };
    for (const [spent, code] of [
      [true, "already_used"],
      [false, "missing_email"],
    ] as const) {
      const { replays, lookedUp } = reporting(spent);
      const failed = failing(new PossibleReplay("missing_email", "no address", [suspect]));
      expect(await codeOf(replays.run([], failed))).toBe(code);
      expect(await codeOf(replays.run(NONCES, failed))).toBe(code);
      expect(lookedUp).toEqual([[suspect], [...NONCES, suspect]]);
    }
  });

  test("costs no lookup where no nonce is known", async () => {
    const { replays, lookedUp } = reporting(true);
    const refused = failing(new ServiceError("signature_verification_error", "no"));
    expect(await codeOf(replays.run([], refused))).toBe("signature_verification_error");
    expect(lookedUp).toEqual([]);
  });

  test("names its nonces from what it is called with", async () => {
    const { replays, lookedUp } = reporting(true);
    const refused = async (_by: { readonly nonces: readonly Nonce[] }, _size: number) => {
      throw new ServiceError("conflicting_lock", "busy");
    };
    const operation = replays.of(refused, (by) => by.nonces);
    expect(await codeOf(operation({ nonces: NONCES }, 1))).toBe("already_used");
    expect(lookedUp).toEqual([NONCES]);
  });
});
