import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { encodeBase64, encodeBase64Url, encodeHex, sha256 } from "../../src/crypto/encoding.ts";
import { DRIVERS, type Driver } from "../drivers.ts";
import { ICLOUD, newKeypair, PRF, proven } from "../support/factors.ts";
import { startService, type TestService } from "../support/service.ts";
import { turnkeyActivity } from "../support/turnkey-activity.ts";
import { newUser, solved } from "../support/users.ts";
import { type Browser, type Profile, startChromium } from "./chromium.ts";

const Passkey = Type.Object({
  credential: Type.Unknown(),
  unstripped: Type.Unknown(),
  hasSecret: Type.Boolean(),
});
const Answered = Type.Object({ status: Type.Integer(), body: Type.Record(Type.String(), Type.Unknown()) });

/** The page of an app that is served where the service is, as a reverse proxy does it. */
function startSite() {
  let upstream = "";
  const server = Bun.serve({
    hostname: "localhost",
    port: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      if (!pathname.startsWith("/v1/"))
        return new Response(Bun.file(`${import.meta.dir}/page.html`), {
          headers: { "content-type": "text/html" },
        });
      const type = request.headers.get("content-type") ?? "";
      const body = await request.arrayBuffer();
      const answer = await fetch(upstream + pathname, {
        method: "POST",
        body,
        headers: { "content-type": type },
      });
      const headers = { "content-type": answer.headers.get("content-type") ?? "" };
      return new Response(await answer.arrayBuffer(), { status: answer.status, headers });
    },
  });
  return {
    origin: `http://localhost:${server.port}`,
    forwardTo: (url: string) => {
      upstream = url;
    },
    stop: () => server.stop(true),
  };
}

const [driver]: readonly Driver[] = DRIVERS; // nothing about a browser depends on it
if (driver === undefined) throw new Error("there is no driver");

describe("a browser", () => {
  const site = startSite();
  let service: TestService;
  let browser: Browser;
  let old: Profile;
  beforeAll(async () => {
    [service, browser] = await Promise.all([
      startService(driver, { env: { WEBAUTHN_ORIGINS: site.origin, WEBAUTHN_RP_ID: "localhost" } }),
      startChromium(),
    ]);
    site.forwardTo(service.url);
    old = await browser.newProfile();
    await old.open(site.origin);
  });
  afterAll(async () => {
    await browser[Symbol.asyncDispose]();
    await service[Symbol.asyncDispose]();
    await site.stop();
  });

  const post = async (profile: Profile, path: string, body: unknown) =>
    Value.Parse(Answered, await profile.call("post", { path, body }));
  const made = async (profile: Profile, options: unknown) =>
    Value.Parse(Passkey, await profile.call("makePasskey", { options }));
  const used = async (profile: Profile, options: unknown) =>
    Value.Parse(Passkey, await profile.call("usePasskey", { options }));

  /** A backup that was created by a page with a new passkey. */
  async function createdIn(profile: Profile, platform: "IOS" | "ANDROID") {
    const request = { name: "ada@example.com", displayName: "Ada", platform };
    const { status, body } = await post(profile, "/v1/create/challenge/passkey", request);
    expect(status).toBe(200);
    const passkey = await made(profile, body.challenge);
    expect(passkey.hasSecret).toBe(true);
    const user = newUser();
    const sync = await solved(service.client, "create", user.sync);
    const payload = {
      authorization: { kind: "PASSKEY", credential: passkey.credential, label: "browser" },
      challengeToken: body.token,
      initialEncryptionKey: PRF,
      initialSyncFactor: sync.authorization,
      initialSyncChallengeToken: sync.challengeToken,
      manifestHash: user.manifestHash,
      backupAccountId: user.account.backupAccountId,
    };
    const create = async (credential: unknown) => {
      const authorization = { ...payload.authorization, credential };
      const sent = { payload: { ...payload, authorization }, backup: [...user.backup] };
      return Value.Parse(Answered, await profile.call("create", sent));
    };
    return { user, passkey, create };
  }

  /** Recovers a backup with a passkey of a profile. */
  async function recoverIn(profile: Profile) {
    const { body } = await post(profile, "/v1/retrieve/challenge/passkey", {});
    expect(body.challenge).toMatchObject({ mediation: "conditional" });
    const passkey = await used(profile, body.challenge);
    const send = (sent: unknown) => {
      const authorization = { kind: "PASSKEY", credential: sent };
      return post(profile, "/v1/retrieve/from-challenge", { authorization, challengeToken: body.token });
    };
    return { ...passkey, send };
  }

  test("makes a passkey from the options, never sends its secret, and recovers in another profile", async () => {
    const { user, passkey, create } = await createdIn(old, "ANDROID");
    const refused = await create(passkey.unstripped);
    expect([refused.status, refused.body.error]).toEqual([
      400,
      expect.objectContaining({ code: "webauthn_prf_results_not_allowed" }),
    ]);
    const { status, body } = await create(passkey.credential);
    expect([status, body.backupId]).toEqual([200, user.account.backupAccountId]);
    const [factor] = (body.backupMetadata as { factors: { kind: { registration: unknown } }[] }).factors;
    expect(factor?.kind.registration).toEqual(passkey.credential);

    const young = await browser.newProfile();
    await young.open(site.origin);
    for (const credential of await old.credentials()) await young.addCredential(credential);
    const recovery = await recoverIn(young);
    const recovered = await recovery.send(recovery.credential);
    expect([recovered.status, recovered.body.backup]).toEqual([200, encodeBase64(user.backup)]);
    const replayed = await recovery.send(recovery.credential);
    expect(replayed.body.error).toMatchObject({ code: "already_used" });

    // The first profile did not see what the copy of its passkey did: its counter is behind.
    const [copy] = await young.credentials();
    const [original] = await old.credentials();
    expect(copy?.signCount).toBeGreaterThan(original?.signCount ?? 0);
    const behind = await recoverIn(old);
    expect((await behind.send(behind.credential)).body.error).toMatchObject({ code: "webauthn_error" });
    const ahead = await recoverIn(old);
    expect(ahead.hasSecret).toBe(true);
    const unstripped = await ahead.send(ahead.unstripped);
    expect(unstripped.body.error).toMatchObject({ code: "webauthn_prf_results_not_allowed" });
    expect((await ahead.send(ahead.credential)).status).toBe(200);
  });

  test("makes a passkey from the options for IOS, which the service accepts", async () => {
    const profile = await browser.newProfile();
    await profile.open(site.origin);
    const { passkey, create } = await createdIn(profile, "IOS");
    expect((await create(passkey.credential)).status).toBe(200);
  });

  test("adds a keypair with its passkey, and a new passkey with the keypair", async () => {
    const profile = await browser.newProfile();
    await profile.open(site.origin);
    const { user, passkey, create } = await createdIn(profile, "ANDROID");
    expect((await create(passkey.credential)).status).toBe(200);

    const keypair = newKeypair();
    const { newFactor, answer } = keypair.register();
    const first = await post(profile, "/v1/add-factor/challenge", {
      newFactor,
      existingFactorKind: "PASSKEY_ASSERTION",
    });
    const { credential } = await used(profile, first.body.existingFactorChallenge);
    const added = await post(profile, "/v1/add-factor", {
      existingFactorAuthorization: { kind: "PASSKEY", credential },
      existingFactorChallengeToken: first.body.existingFactorToken,
      newFactorAuthorization: answer(String(first.body.newFactorChallenge)),
      newFactorChallengeToken: first.body.newFactorToken,
      encryptedBackupKey: ICLOUD,
    });
    expect([added.status, added.body.factorId]).toEqual([200, expect.any(String)]);

    const passkeyFactor = {
      kind: "PASSKEY_REGISTRATION",
      platform: "ANDROID",
      name: "ada",
      displayName: "Ada",
    };
    const second = await post(profile, "/v1/add-factor/challenge", {
      newFactor: passkeyFactor,
      existingFactorKind: "EC_KEYPAIR",
    });
    const newPasskey = await made(profile, second.body.newFactorChallenge);
    const again = await post(profile, "/v1/add-factor", {
      existingFactorAuthorization: keypair.prove(String(second.body.existingFactorChallenge)),
      existingFactorChallengeToken: second.body.existingFactorToken,
      newFactorAuthorization: { kind: "PASSKEY", credential: newPasskey.credential },
      newFactorChallengeToken: second.body.newFactorToken,
    });
    expect(again.status).toBe(200);

    const { rawId } = passkey.credential as { rawId: string };
    const credentials = await profile.credentials();
    expect(credentials).toHaveLength(2);
    for (const known of credentials)
      if (Buffer.from(known.credentialId, "base64").equals(Buffer.from(rawId, "base64url")))
        await profile.removeCredential(known);
    const recovery = await recoverIn(profile);
    const { body } = await recovery.send(recovery.credential);
    expect(body.backup).toBe(encodeBase64(user.backup));
    expect(
      (await service.client.retrieve(await proven(service.client, "retrieve", keypair))).ok().metadata
        .factors,
    ).toHaveLength(3);
  });

  test("adds a keypair by stamping a Turnkey activity", async () => {
    const profile = await browser.newProfile();
    await profile.open(site.origin);
    const { passkey, create } = await createdIn(profile, "ANDROID");
    expect((await create(passkey.credential)).status).toBe(200);
    const { newFactor, answer } = newKeypair().register();
    const { body } = await post(profile, "/v1/add-factor/challenge", { newFactor });
    const challenge = Buffer.from(String(body.existingFactorChallenge), "base64");
    const activity = turnkeyActivity({ challenge, organizationId: "any", nowMs: service.clock.nowMs() });
    const stampChallenge = encodeBase64Url(Buffer.from(encodeHex(sha256(activity)), "ascii"));
    const { credential } = await used(profile, {
      publicKey: { challenge: stampChallenge, rpId: "localhost" },
    });
    const added = await post(profile, "/v1/add-factor", {
      existingFactorAuthorization: { kind: "PASSKEY", credential },
      existingFactorChallengeToken: body.existingFactorToken,
      existingFactorTurnkeyActivity: activity,
      newFactorAuthorization: answer(String(body.newFactorChallenge)),
      newFactorChallengeToken: body.newFactorToken,
    });
    expect([added.status, added.body.factorId]).toEqual([200, expect.any(String)]);
  });

  test("of another origin is refused, though the browser lets it have a passkey", async () => {
    const other = startSite();
    other.forwardTo(service.url);
    try {
      const profile = await browser.newProfile();
      await profile.open(other.origin);
      const { passkey, create } = await createdIn(profile, "ANDROID");
      const { status, body } = await create(passkey.credential);
      expect([status, body.error]).toEqual([400, expect.objectContaining({ code: "webauthn_error" })]);
    } finally {
      await other.stop();
    }
  });
});
