import { describe, expect, test } from "bun:test";
import type { Answer, ApiClient } from "../../src/cli/api-client.ts";
import { createFactorKeypair } from "../../src/cli/device-keys.ts";
import { loadConfig } from "../../src/config.ts";
import type { ErrorCode } from "../../src/errors.ts";
import type { RateLimit } from "../../src/limits/rate-limiter.ts";
import { createRequestLimits } from "../../src/limits/request-limits.ts";
import { DRIVERS } from "../drivers.ts";
import { startService } from "../support/service.ts";
import {
  addSyncFactorRequest,
  metadataOf,
  newUser,
  recovered,
  resetRequest,
  solved,
  userWithBackup,
} from "../support/users.ts";

const HIGH = Object.fromEntries(
  [
    "ADDRESS_CHALLENGES_PER_MINUTE",
    "ADDRESS_FAILURES_PER_MINUTE",
    "ADDRESS_DESTRUCTIONS_PER_MINUTE",
    "BACKUP_CHALLENGES_PER_HOUR",
    "BACKUP_FAILURES_PER_HOUR",
    "BACKUP_DESTRUCTIONS_PER_HOUR",
  ].map((name) => [`RATE_LIMIT_${name}`, "1000"]),
);

/** Only the limits given are low. */
const limits = (low: Record<string, string>) => ({
  env: { ...HIGH, RATE_LIMITS: "true", TRUSTED_PROXY_HOPS: "1", ...low },
});

function expectLimited(answer: Answer<unknown>): void {
  expect({ status: answer.status, code: answer.code() }).toEqual({ status: 429, code: "too_many_requests" });
  expect(answer.body).toMatchObject({ allowRetry: true });
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
}

const failedProof = async (client: ApiClient) =>
  client.verifyFactor(await solved(client, "verify-factor", createFactorKeypair()));

for (const driver of DRIVERS)
  describe(`rate limits (${driver.name})`, () => {
    test("on challenges hold for an address, and end with the minute", async () => {
      await using service = await startService(
        driver,
        limits({ RATE_LIMIT_ADDRESS_CHALLENGES_PER_MINUTE: "3" }),
      );
      const here = service.clientFrom("198.51.100.7");
      for (let n = 0; n < 3; n++) (await here.keypairChallenge("sync")).ok();
      expectLimited(await here.keypairChallenge("create"));
      (await service.clientFrom("198.51.100.8").keypairChallenge("sync")).ok();
      expect((await here.health()).status).toBe(200);
      service.clock.advance(60_000);
      (await here.keypairChallenge("sync")).ok();
    });

    test("on failed proofs hold for an address, also for good proofs, and not for others", async () => {
      await using service = await startService(
        driver,
        limits({ RATE_LIMIT_ADDRESS_FAILURES_PER_MINUTE: "2" }),
      );
      const attacker = service.clientFrom("198.51.100.7");
      const owner = service.clientFrom("198.51.100.8");
      const user = await userWithBackup(owner);
      for (let n = 0; n < 2; n++) expect((await failedProof(attacker)).code()).toBe("backup_untraceable");
      expectLimited(await failedProof(attacker));
      expectLimited(await attacker.verifyFactor(await solved(attacker, "verify-factor", user.main)));
      (await owner.verifyFactor(await solved(owner, "verify-factor", user.main))).ok();
    });

    test("on destructive operations hold for an address", async () => {
      const low = limits({ RATE_LIMIT_ADDRESS_DESTRUCTIONS_PER_MINUTE: "1" });
      await using service = await startService(driver, low);
      const here = service.clientFrom("198.51.100.7");
      const [first, second] = [await userWithBackup(here), await userWithBackup(here)];
      (await here.deleteBackup(await solved(here, "delete-backup", first.sync))).ok();
      expectLimited(await here.deleteBackup(await solved(here, "delete-backup", second.sync)));
      expectLimited(await here.reset(await resetRequest(here, second)));
      expect((await here.status(second.account.backupAccountId)).status).toBe(200);
    });

    test("on destructive operations hold for a backup from wherever they come, and leave the proof usable", async () => {
      const low = limits({ RATE_LIMIT_BACKUP_DESTRUCTIONS_PER_HOUR: "1" });
      await using service = await startService(driver, low);
      const here = service.clientFrom("198.51.100.7");
      const there = service.clientFrom("198.51.100.8");
      const user = await userWithBackup(here);
      const { syncFactorToken } = await recovered(here, user);
      const tablet = createFactorKeypair();
      (await here.addSyncFactor(await addSyncFactorRequest(here, tablet, syncFactorToken))).ok();
      const remove = async (client: ApiClient, factorId: string) => {
        const proof = await solved(client, "delete-factor", user.sync, { factorId });
        return client.deleteFactor({ ...proof, factorId, scope: "SYNC" });
      };
      // attempts that take nothing away do not lock the owner out
      for (let n = 0; n < 3; n++) expect((await remove(here, "none")).code()).toBe("factor_not_found");
      (await remove(here, (await metadataOf(here, user)).syncFactors[1]?.id ?? "")).ok();
      const deletion = await solved(there, "delete-backup", user.sync);
      expectLimited(await there.deleteBackup(deletion));
      expect((await metadataOf(there, user)).id).toBe(user.account.backupAccountId);
      service.clock.set(Date.UTC(2026, 0, 15, 13));
      (await there.deleteBackup(await solved(there, "delete-backup", user.sync))).ok();
    });

    test("on destructive operations count the deletion of a whole backup, also when it is made anew", async () => {
      const low = limits({ RATE_LIMIT_BACKUP_DESTRUCTIONS_PER_HOUR: "1" });
      await using service = await startService(driver, low);
      const here = service.clientFrom("198.51.100.7");
      const user = await userWithBackup(here);
      (await here.deleteBackup(await solved(here, "delete-backup", user.sync))).ok();
      await userWithBackup(here, user);
      expectLimited(await here.deleteBackup(await solved(here, "delete-backup", user.sync)));
    });

    test("on challenges and failures about one backup count for backup and address together", async () => {
      const low = { RATE_LIMIT_BACKUP_CHALLENGES_PER_HOUR: "3", RATE_LIMIT_BACKUP_FAILURES_PER_HOUR: "1" };
      await using service = await startService(driver, limits(low));
      const attacker = service.clientFrom("198.51.100.7");
      const owner = service.clientFrom("198.51.100.8");
      const user = await userWithBackup(owner);
      const forged = { ...(await resetRequest(attacker, user)), signature: newUser().account.sign("AAAA") };
      expect((await attacker.reset(forged)).code()).toBe("signature_verification_error");
      expectLimited(await attacker.reset(await resetRequest(attacker, user)));
      const { backupAccountId } = user.account;
      (await attacker.keypairChallenge("reset", { backupAccountId })).ok();
      expectLimited(await attacker.keypairChallenge("reset", { backupAccountId }));
      (await owner.reset(await resetRequest(owner, user))).ok();
    });

    test("are off in development unless they are asked for", async () => {
      await using service = await startService(driver, {
        env: { APP_ENV: "development", RATE_LIMITS: "", RATE_LIMIT_ADDRESS_CHALLENGES_PER_MINUTE: "1" },
      });
      for (let n = 0; n < 3; n++) (await service.client.keypairChallenge("sync")).ok();
    });
  });

describe("an answer", () => {
  const config = loadConfig({ APP_ENV: "development", RATE_LIMITS: "true" }).rateLimits;
  const counted = (code: ErrorCode | null) => {
    const names: string[] = [];
    const count = ({ name }: RateLimit) => void names.push(name);
    const requestLimits = createRequestLimits(config, { check: () => {}, count });
    requestLimits.settle({ address: "192.0.2.1", backupId: "b", code });
    return names;
  };

  test.each<ErrorCode>([
    "jwt_error",
    "unexpected_challenge_type",
    "invalid_challenge_context",
    "signature_verification_error",
    "invalid_signature",
    "webauthn_error",
    "oidc_token_verification_error",
    "oidc_token_invalid_nonce",
    "turnkey_activity_error",
    "invalid_attestation_token",
    "invalid_attestation_token_claim",
    "token_not_found",
    "backup_untraceable",
    "unauthorized_factor",
    "already_used",
  ])("of %s counts as a proof that did not hold", (code) => {
    expect(counted(code)).toEqual(["address-failures", "backup-failures"]);
  });

  test.each<ErrorCode | null>([
    null,
    "invalid_payload",
    "manifest_hash_mismatch",
    "conflicting_lock",
    "backup_account_id_already_exists",
    "factor_not_found",
    "not_found",
    "too_many_requests",
    "service_unavailable",
    "internal_server_error",
  ])("of %p counts as none", (code) => {
    expect(counted(code)).toEqual([]);
  });
});
