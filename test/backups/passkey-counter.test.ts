import { describe, expect, test } from "bun:test";
import type { Proven } from "../../src/backups/authorise.ts";
import { type BackupMetadata, factorRef, type MainFactor } from "../../src/backups/model.ts";
import { isCounting, keepCounter } from "../../src/backups/passkey-counter.ts";
import type { StoredCredential } from "../../src/proofs/passkey/stored-credential.ts";

function passkey(credentialId: string, counter: number): MainFactor {
  const credential: StoredCredential = {
    publicKey: "",
    algorithm: "ES256",
    counter,
    transports: [],
    aaguid: "",
    deviceType: "singleDevice",
    backedUp: false,
    userVerified: true,
  };
  const kind = { kind: "PASSKEY", credentialId, registration: {}, label: "", credential } as const;
  return { id: credentialId, createdAt: 0, kind };
}

const keypair: MainFactor = { id: "k", createdAt: 0, kind: { kind: "EC_KEYPAIR", publicKey: "key" } };

function metadataWith(...factors: MainFactor[]): BackupMetadata {
  return { id: "b", manifestHash: "00", keys: [], factors, syncFactors: [], logId: "log" };
}

/** An assertion of a passkey that showed this counter. */
function shownBy(factor: MainFactor, metadata: BackupMetadata, counter: number): Proven {
  const blob = { key: "k", size: 1, sha256: "00" };
  const backup = { backupId: "b", revision: "r1", changedAtMs: null, blob, metadata, versions: [] };
  const shown = { counter, backupEligible: false };
  return {
    factor: factorRef("MAIN", factor),
    nonces: [],
    challengedAtMs: 0,
    passkey: { backup, consumed: false, shown },
  };
}

describe("the counter of a passkey", () => {
  test.each([
    [0, 0, false],
    [0, 1, true],
    [1, 0, true],
  ])("that was %i and is %i counts: %p", (stored, shown, counts) => {
    const factor = passkey("one", stored);
    expect(isCounting(shownBy(factor, metadataWith(factor), shown))).toBe(counts);
  });

  test("is stored with that passkey alone", () => {
    const one = passkey("one", 3);
    const others = [keypair, passkey("other", 9)];
    const metadata = metadataWith(one, ...others);
    expect(keepCounter(metadata, shownBy(one, metadata, 4))).toEqual(
      metadataWith(passkey("one", 4), ...others),
    );
  });
});
