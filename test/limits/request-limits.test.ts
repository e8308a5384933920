import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../src/config/config.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { type RateLimit, TooManyRequests } from "../../src/limits/rate-limiter.ts";
import { createRequestLimits } from "../../src/limits/request-limits.ts";
import { DRIVERS } from "../drivers.ts";
import type { ApiClient } from "../support/api-client.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { Interruptions } from "../support/intercepted-stores.ts";
import { expectLimited, lowLimits as limits } from "../support/low-limits.ts";
import { addedSyncFactor } from "../support/proven-calls.ts";
import { startService } from "../support/service.ts";
import {
  addSyncFactorRequest,
  metadataOf,
  newUser,
  recovered,
  replacedContent,
  resetRequest,
  solved,
  syncPayload,
  userWithBackup,
} from "../support/users.ts";

const failedProof = async (client: ApiClient) =>
  client.verifyFactor(await solved(client, "verify-factor", createFactorKeypair()));

/** What the audit sent: well-formed, and no proof of anything. */
async function garbage(client: ApiClient) {
  return { ...(await solved(client, "verify-factor", createFactorKeypair())), challengeToken: "x" };
}

for (const driver of DRIVERS)
  describe(`rate limits (${driver.name})`, () => {
    test("on destructive operations hold for an address that sends several at once", async () => {
      const low = limits({ RATE_LIMIT_ADDRESS_DESTRUCTIONS_PER_MINUTE: "1" });
      await using service = await startService(driver, low);
      const here = service.clientFrom("198.51.100.7");
      const deletions = [];
      for (let n = 0; n < 5; n++)
        deletions.push(await solved(here, "delete-backup", (await userWithBackup(here)).sync));
      const responses = await Promise.all(deletions.map((deletion) => here.deleteBackup(deletion)));
      expect(responses.filter(({ status }) => status === 204)).toHaveLength(1);
      for (const response of responses.filter(({ status }) => status !== 204)) expectLimited(response);
    });

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

    test("on failed proofs hold for the failing ones of an address, and no good one is refused", async () => {
      await using service = await startService(
        driver,
        limits({ RATE_LIMIT_ADDRESS_FAILURES_PER_MINUTE: "2" }),
      );
      const here = service.clientFrom("198.51.100.7");
      const elsewhere = service.clientFrom("198.51.100.8");
      for (let n = 0; n < 2; n++) expect((await failedProof(here)).code()).toBe("backup_untraceable");
      for (let n = 0; n < 3; n++) expectLimited(await failedProof(here));
      expectLimited(await here.verifyFactor(await garbage(here)));
      expect((await failedProof(elsewhere)).code()).toBe("backup_untraceable");

      const user = await userWithBackup(here);
      const good = await solved(here, "verify-factor", user.main);
      const { authorization: other } = await solved(here, "verify-factor", user.main);
      expectLimited(await here.verifyFactor({ ...good, authorization: other }));
      (await here.verifyFactor(good)).ok(); // the refusal has not used up its challenge
      expectLimited(await here.verifyFactor(good));
      await recovered(here, user);
      await metadataOf(here, user);
      (await here.sync(await syncPayload(here, user), user.backup)).ok();
      (await here.deleteBackup(await solved(here, "delete-backup", user.sync))).ok();
      const again = await userWithBackup(here, user);
      (await here.reset(await resetRequest(here, again))).ok();

      service.clock.advance(60_000);
      expect((await failedProof(here)).code()).toBe("backup_untraceable");
    });

    test("on failed proofs count nothing else: neither what is malformed nor what succeeds", async () => {
      const low = limits({ RATE_LIMIT_ADDRESS_FAILURES_PER_MINUTE: "1" });
      await using service = await startService(driver, low);
      const here = service.clientFrom("198.51.100.7");
      for (let n = 0; n < 3; n++) {
        expect((await here.verifyFactor({})).code()).toBe("invalid_payload");
        await recovered(here, await userWithBackup(here));
      }
      expect((await failedProof(here)).code()).toBe("backup_untraceable");
      expectLimited(await failedProof(here));
      expect((await here.verifyFactor({})).code()).toBe("invalid_payload"); // no proof, so no failed one
    });

    test("on destructive operations hold for the successes of an address, and leave the proof usable", async () => {
      const low = limits({ RATE_LIMIT_ADDRESS_DESTRUCTIONS_PER_MINUTE: "1" });
      await using service = await startService(driver, low);
      const here = service.clientFrom("198.51.100.7");
      const [first, second] = [await userWithBackup(here), await userWithBackup(here)];
      const stranger = createFactorKeypair();
      const forgedReset = async () => ({
        ...(await resetRequest(here, second)),
        signature: newUser().account.sign("AAAA"),
      });
      for (let n = 0; n < 2; n++) {
        const deletion = await solved(here, "delete-backup", stranger);
        expect((await here.deleteBackup(deletion)).code()).toBe("backup_untraceable");
        const removal = await solved(here, "delete-factor", first.sync, { factorId: "none" });
        const removed = await here.deleteFactor({ ...removal, factorId: "none", scope: "SYNC" });
        expect(removed.code()).toBe("factor_not_found");
        expect((await here.reset(await forgedReset())).code()).toBe("signature_verification_error");
        const unknown = await here.reset(await resetRequest(here, newUser()));
        expect(unknown.code()).toBe("not_found");
      }

      (await here.deleteBackup(await solved(here, "delete-backup", first.sync))).ok();
      const deletion = await solved(here, "delete-backup", second.sync);
      expectLimited(await here.deleteBackup(deletion));
      const reset = await resetRequest(here, second);
      expectLimited(await here.reset(reset));
      const factorId = (await metadataOf(here, second)).factors[0]?.id ?? "";
      const removal = await solved(here, "delete-factor", second.sync, { factorId });
      expectLimited(await here.deleteFactor({ ...removal, factorId, scope: "MAIN" }));
      // a failed proof still gets the code of the failure
      expect((await here.reset(await forgedReset())).code()).toBe("signature_verification_error");
      expect((await here.backupStatus({ backupId: second.account.backupAccountId })).status).toBe(200);
      const there = service.clientFrom("198.51.100.8");
      (await there.deleteBackup(deletion)).ok();

      service.clock.advance(60_000);
      await userWithBackup(here, second);
      (await here.reset(reset)).ok();
    });

    test("on status requests hold for an address, and end with the minute", async () => {
      const low = limits({ RATE_LIMIT_ADDRESS_STATUS_PER_MINUTE: "2" });
      await using service = await startService(driver, low);
      const here = service.clientFrom("198.51.100.7");
      const { account } = await userWithBackup(here);
      (await here.backupStatus({ backupId: account.backupAccountId })).ok();
      expect((await here.backupStatus({ backupId: newUser().account.backupAccountId })).code()).toBe(
        "not_found",
      );
      expectLimited(await here.backupStatus({ backupId: account.backupAccountId }));
      (await service.clientFrom("198.51.100.8").backupStatus({ backupId: account.backupAccountId })).ok();
      service.clock.advance(60_000);
      (await here.backupStatus({ backupId: account.backupAccountId })).ok();
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

    for (const call of ["delete-factor", "delete-backup"] as const)
      test(`on destructive operations hold for a ${call} that another one overtakes`, async () => {
        const interruptions = new Interruptions();
        const low = limits({ RATE_LIMIT_BACKUP_DESTRUCTIONS_PER_HOUR: "1" });
        await using service = await startService(driver, { ...low, ...interruptions });
        const client = service.clientFrom("198.51.100.7");
        const user = await userWithBackup(client);
        for (let n = 0; n < 2; n++) await addedSyncFactor(client, user);
        const [, one, other] = (await metadataOf(client, user)).syncFactors;
        const removal = async (factorId = "") => ({
          ...(await solved(client, "delete-factor", user.sync, { factorId })),
          factorId,
          scope: "SYNC",
        });
        const [first, second] = [await removal(one?.id), await removal(other?.id)];
        const deletion = await solved(client, "delete-backup", user.sync);
        interruptions.before("records.commit", async () => void (await client.deleteFactor(first)).ok());
        expectLimited(
          await (call === "delete-factor" ? client.deleteFactor(second) : client.deleteBackup(deletion)),
        );
        expect((await metadataOf(client, user)).syncFactors).toHaveLength(2);
      });

    test("on destructive operations count the deletion of a whole backup, also when it is created again", async () => {
      const low = limits({ RATE_LIMIT_BACKUP_DESTRUCTIONS_PER_HOUR: "1" });
      await using service = await startService(driver, low);
      const here = service.clientFrom("198.51.100.7");
      const user = await userWithBackup(here);
      (await here.deleteBackup(await solved(here, "delete-backup", user.sync))).ok();
      await userWithBackup(here, user);
      expectLimited(await here.deleteBackup(await solved(here, "delete-backup", user.sync)));
    });

    test("on restores hold for a backup from wherever they come, and not for destructive operations", async () => {
      const low = limits({ RATE_LIMIT_BACKUP_RESTORES_PER_HOUR: "1" });
      await using service = await startService(driver, low);
      const here = service.clientFrom("198.51.100.7");
      const there = service.clientFrom("198.51.100.8");
      const { user, versionId } = await replacedContent(here, await userWithBackup(here));
      const restore = async (client: ApiClient, id: string, currentManifestHash: string) => {
        const proof = await solved(client, "restore-version", user.sync, { versionId: id });
        const request = { ...proof, versionId: id, currentManifestHash };
        return { request, response: await client.restoreVersion(request) };
      };
      // those that fail do not count
      for (let n = 0; n < 3; n++)
        expect((await restore(here, "none", user.manifestHash)).response.code()).toBe("version_not_found");
      const done = await restore(here, versionId, user.manifestHash);
      const { manifestHash, versions } = done.response.ok().backupMetadata;
      const back = versions[0]?.versionId ?? "";
      const limited = await restore(there, back, manifestHash);
      expectLimited(limited.response);
      expect((await here.restoreVersion(done.request)).code()).toBe("already_used");
      service.clock.set(Date.UTC(2026, 0, 15, 13));
      (await restore(there, back, manifestHash)).response.ok();
      expectLimited((await restore(there, versionId, manifestHash)).response);
      (await there.deleteBackup(await solved(there, "delete-backup", user.sync))).ok();
    });

    test("on failures about one backup hold for the failing ones of an address", async () => {
      await using service = await startService(driver, limits({ RATE_LIMIT_BACKUP_FAILURES_PER_HOUR: "1" }));
      const attacker = service.clientFrom("198.51.100.7");
      const user = await userWithBackup(attacker);
      const forge = async (client: ApiClient, of = user) => {
        const signature = newUser().account.sign("AAAA");
        return client.reset({ ...(await resetRequest(client, of)), signature });
      };
      expect((await forge(attacker)).code()).toBe("signature_verification_error");
      expectLimited(await forge(attacker));
      expect((await forge(attacker, newUser())).code()).toBe("signature_verification_error");
      expect((await forge(service.clientFrom("198.51.100.8"))).code()).toBe("signature_verification_error");
      // the owner behind the same address is not held up by that
      (await attacker.reset(await resetRequest(attacker, user))).ok();
    });

    test("on challenges do not count for a backup: any client that knows the id could use them up", async () => {
      const low = limits({ RATE_LIMIT_BACKUP_CHALLENGES_PER_HOUR: "1" }); // as older versions read it
      await using service = await startService(driver, low);
      const here = service.clientFrom("198.51.100.7");
      const user = await userWithBackup(here);
      for (let n = 0; n < 3; n++) await resetRequest(here, user);
      (await here.reset(await resetRequest(here, user))).ok();
    });

    test("are off in development unless configured", async () => {
      await using service = await startService(driver, {
        env: { APP_ENV: "development", RATE_LIMITS: "", RATE_LIMIT_ADDRESS_CHALLENGES_PER_MINUTE: "1" },
      });
      for (let n = 0; n < 3; n++) (await service.client.keypairChallenge("sync")).ok();
    });
  });

describe("an answer", () => {
  const config = loadConfig({ APP_ENV: "development", RATE_LIMITS: "true" }).rateLimits;
  const settled = (code: ErrorCode | null, exhausted: readonly string[] = []) => {
    const names: string[] = [];
    const check = ({ name }: RateLimit) => {
      if (exhausted.includes(name)) throw new TooManyRequests(name, 1);
    };
    const count = ({ name }: RateLimit) => void names.push(name);
    const reserve = () => {
      throw new Error("nothing is reserved for an answer");
    };
    const requestLimits = createRequestLimits(config, { check, count, reserve });
    const refusal = requestLimits.limitFailure({ address: "192.0.2.1", backupId: "b", code });
    return { names, limit: refusal?.limit ?? null };
  };
  const counted = (code: ErrorCode | null) => settled(code).names;

  test("of a failed proof over a limit names that limit, and counts for no further subject", () => {
    const [address, backup] = ["address-failures", "backup-failures"];
    expect(settled("jwt_error")).toEqual({ names: [address, backup], limit: null });
    expect(settled("jwt_error", [address])).toEqual({ names: [], limit: address });
    expect(settled("jwt_error", [backup])).toEqual({ names: [address], limit: backup });
    for (const code of [null, "not_found", "internal_server_error"] as const)
      expect(settled(code, [address, backup])).toEqual({ names: [], limit: null });
  });

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
    "backup_missing",
    "unauthorized_factor",
    "already_used",
  ])("of %s counts as a failed proof", (code) => {
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
