/** Apps of one process: what tokens, ids, limits, events and settings of one mean to another. Proofs: test/authorisation. */
import { describe, expect, test } from "bun:test";
import { createSweep } from "../../src/maintenance/sweep.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import { DRIVERS } from "../drivers.ts";
import { adoptionEnv } from "../support/adopting-service.ts";
import { appsEnv, factorApps, TWO_APPS, viewOf } from "../support/apps.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import {
  type ChallengeValue,
  createPayloadOf,
  newAccount,
  newFactorUser,
  newKeypair,
  newPasskey,
} from "../support/factors.ts";
import { newLegacyStores } from "../support/legacy-stores.ts";
import { legacyKeypair, legacyUser } from "../support/legacy-users.ts";
import { expectLimited, lowLimits } from "../support/low-limits.ts";
import { OidcIssuer } from "../support/oidc-issuer.ts";
import { head, openConnection } from "../support/raw-http.ts";
import { startService, type TestService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { interleaving } from "../support/store-wrappers.ts";
import {
  addSyncFactorRequest,
  createPayload,
  metadataOf,
  newUser,
  recovered,
  replacedContent,
  resetRequest,
  solved,
  userWithBackup,
} from "../support/users.ts";
import { startReceiver } from "../webhooks/receivers.ts";

const HOUR_MS = 60 * 60 * 1000;

/** Both apps of a service. */
async function appsOf(service: TestService) {
  const [first, second] = await Promise.all(
    TWO_APPS.map(({ name, hosts }) => viewOf(service, name, hosts[0])),
  );
  if (first === undefined || second === undefined) throw new Error("there are two apps");
  return { first, second };
}

for (const driver of DRIVERS) {
  describe(`of two apps (${driver.name})`, () => {
    const { service, issuer, app } = factorApps(driver);

    test("a sync factor token is for the backup of its app", async () => {
      const [home, abroad] = [app("first").client, app("second").client];
      const user = await userWithBackup(home);
      await userWithBackup(abroad, user);
      const { syncFactorToken } = await recovered(home, user);
      const device = createFactorKeypair();
      const refused = await abroad.addSyncFactor(await addSyncFactorRequest(abroad, device, syncFactorToken));
      const unknown = await abroad.addSyncFactor(
        await addSyncFactorRequest(abroad, createFactorKeypair(), Buffer.alloc(32, 1).toString("base64url")),
      );
      expect([refused.status, refused.code()]).toEqual([unknown.status, unknown.code()]);
      (await home.addSyncFactor(await addSyncFactorRequest(home, device, syncFactorToken))).ok();
      expect((await metadataOf(abroad, user)).syncFactors).toHaveLength(1);
    });

    test("a version, an event, a deleted state and an id are those of one app", async () => {
      const [home, abroad] = [app("second").client, app("first").client];
      const { user, versionId } = await replacedContent(home, await userWithBackup(home));
      const { backupAccountId: backupId } = user.account;
      expect((await abroad.backupStatus({ backupId })).code()).toBe("not_found");
      expect((await abroad.reset(await resetRequest(abroad, user))).code()).toBe("not_found");
      const reset = await resetRequest(home, user);
      expect((await abroad.reset(reset)).code()).toBe("jwt_error");
      await userWithBackup(abroad, user);
      expect((await abroad.reset(reset)).code()).toBe("jwt_error");
      const version = await abroad.retrieve({ ...(await solved(abroad, "retrieve", user.main)), versionId });
      expect(version.code()).toBe("version_not_found");
      const [event] = (await home.listEvents(await solved(home, "events", user.sync))).ok().events;
      const page = await abroad.listEvents({
        ...(await solved(abroad, "events", user.sync)),
        before: event?.id ?? "",
      });
      expect(page.ok().events.map(({ kind }) => kind)).not.toContain("DELETED");

      (await home.deleteBackup(await solved(home, "delete-backup", user.sync))).ok();
      const undelete = async (client: typeof home) =>
        client.undelete({ ...(await solved(client, "undelete", user.main, { backupId })), backupId });
      (await abroad.reset(await resetRequest(abroad, user))).ok(); // forgets the deleted states of its app only
      expect((await undelete(abroad)).code()).toBe("backup_does_not_exist");
      (await undelete(home)).ok();
      expect((await recovered(home, user)).metadata.manifestHash).toBe(user.manifestHash);
    });

    test("a proof of the account key is for one app", async () => {
      const user = newUser();
      const [home, abroad] = [app("first").client, app("second").client];
      const ownership = async (client: typeof home) => {
        const issued = (await client.keypairChallenge("create")).ok();
        return {
          backupAccountChallengeToken: issued.backupAccountChallengeToken,
          backupAccountSignature: user.account.sign(issued.backupAccountChallenge),
        };
      };
      const create = async (client: typeof home, proof: object) =>
        client.create({ ...(await createPayload(client, user)), ...proof }, user.backup);
      const proof = await ownership(home);
      expect((await create(abroad, proof)).code()).toBe("jwt_error");
      (await create(home, proof)).ok();
      (await create(abroad, await ownership(abroad))).ok();
    });

    test("an id_token is consumed in one app, and is good in the other", async () => {
      const account = newAccount("GOOGLE", issuer);
      const keypair = createFactorKeypair();
      const claims = { sub: account.sub, email: account.email };
      const token = issuer.token("GOOGLE", keypair.publicKey, { claims });
      const create = async (name: "first" | "second") => {
        const user = newFactorUser(account);
        const payload = await createPayloadOf(app(name).client, user, (challenge) =>
          account.authorize(challenge, { keypair, token }),
        );
        return app(name).client.create(payload, user.backup);
      };
      (await create("first")).ok();
      expect((await create("first")).code()).toBe("already_used");
      (await create("second")).ok();
      expect((await create("second")).code()).toBe("already_used");
    });

    test("the stored form of the default app is that of a service without apps, the other's has its name", async () => {
      const user = newUser();
      for (const { name } of TWO_APPS) await userWithBackup(app(name).client, user);
      const { backupAccountId: id } = user.account;
      const { records } = service().services.stores;
      expect((await records.read(id))?.metadata.id).toBe(id);
      expect((await records.read(`app/second/${id}`))?.metadata.id).toBe(id);
      const rows = (await Array.fromAsync(records.listFactors())).filter(({ backupId }) =>
        backupId.endsWith(id),
      );
      expect(rows.map(({ factor, backupId }) => [factor.scope, factor.key, backupId]).toSorted()).toEqual(
        ["", "app/second/"]
          .flatMap((prefix) => [
            ["MAIN", `${prefix}EC_KEYPAIR|${user.main.publicKey}`, `${prefix}${id}`],
            ["SYNC", `${prefix}EC_KEYPAIR|${user.sync.publicKey}`, `${prefix}${id}`],
          ])
          .toSorted(),
      );
      const keys = (await Promise.all([id, `app/second/${id}`].map((stored) => records.read(stored)))).map(
        (record) => record?.blob.key.replace(/[0-9a-f-]{36}$/, ""),
      );
      expect(keys).toEqual(driver.name === "aws" ? [`${id}/blobs/`, `app/second/${id}/blobs/`] : ["", ""]);
    });

    test("a host that no app has is refused where apps differ, and the process is reached by any", async () => {
      const headers = { "x-forwarded-host": "third.example" };
      const refused = await fetch(`${service().url}/v1/backup/status`, {
        method: "POST",
        body: "{}",
        headers,
      });
      expect([refused.status, await refused.json()]).toEqual([
        400,
        {
          allowRetry: false,
          error: {
            code: "invalid_payload",
            message: "No app of this service has the host name of the request",
          },
        },
      ]);
      for (const path of ["/health", "/ready", "/openapi.json"])
        expect((await fetch(service().url + path, { headers })).status).toBe(200);
      expect((await fetch(`${service().url}/no/such/path`, { headers })).status).toBe(404);
    });

    test("each line of the log of a request names its app", async () => {
      const before = service().logged.length;
      await app("second").client.keypairChallenge("sync");
      await app("first").client.keypairChallenge("sync");
      await fetch(`${service().url}/v1/sync`, {
        method: "POST",
        headers: { "x-forwarded-host": "no.example" },
      });
      const lines = service()
        .logged.slice(before)
        .map((line) => JSON.parse(line));
      expect(lines.map(({ app: name }) => name)).toEqual(["second", "first", undefined]);
    });
  });

  describe(`apps of one process (${driver.name})`, () => {
    test("go on with what a service without apps has stored, and back", async () => {
      const storage = await driver.environment();
      const user = newUser();
      const clock = new SettableClock();
      try {
        {
          await using alone = await startService(driver, { storage, clock });
          await userWithBackup(alone.client, user);
        }
        {
          await using service = await startService(driver, { storage, clock, env: appsEnv(TWO_APPS) });
          const { first, second } = await appsOf(service);
          expect((await recovered(first.client, user)).metadata.manifestHash).toBe(user.manifestHash);
          expect(
            (await second.client.retrieve(await solved(second.client, "retrieve", user.main))).code(),
          ).toBe("backup_untraceable");
          await userWithBackup(second.client, user);
        }
        await using alone = await startService(driver, { storage, clock });
        (await alone.client.deleteBackup(await solved(alone.client, "delete-backup", user.sync))).ok();
        {
          await using service = await startService(driver, { storage, clock, env: appsEnv(TWO_APPS) });
          const { second } = await appsOf(service);
          expect((await recovered(second.client, user)).metadata.manifestHash).toBe(user.manifestHash);
        }
      } finally {
        await storage[Symbol.asyncDispose]();
      }
    });

    test("are chosen by the header Host where no proxy is trusted", async () => {
      await using service = await startService(driver, {
        env: { ...appsEnv(TWO_APPS), TRUSTED_PROXY_HOPS: "0" },
      });
      for (const [host, status] of [
        ["first.example", 200],
        ["SECOND.example:8080", 200],
        ["third.example", 400],
      ] as const) {
        using connection = await openConnection(service.url);
        const headers = {
          "content-type": "application/json",
          "content-length": 2,
          "x-forwarded-host": "first.example",
        };
        await connection.write(`${head("POST", "/v1/sync/challenge/keypair", { host, ...headers })}{}`);
        expect((await connection.answer()).status).toBe(status);
      }
      const requests = service.logged.map((line) => JSON.parse(line)).filter(({ msg }) => msg === "request");
      expect(requests.map(({ app }) => app)).toEqual(["first", "second", undefined]);
    });

    test("have settings of their own", async () => {
      const apps = [
        { ...TWO_APPS[0], settings: { MAX_BACKUP_BYTES: 50, WEBAUTHN_RP_ID: "first.example" } },
        {
          ...TWO_APPS[1],
          settings: { ENFORCE_BACKUP_ACCOUNT_PROOF: true, WEBAUTHN_RP_ID: "second.example" },
        },
      ];
      await using service = await startService(driver, { env: appsEnv(apps) });
      const { first, second } = await appsOf(service);
      const user = newUser();
      const created = async ({ client }: TestService) =>
        (await client.create(await createPayload(client, user), user.backup)).code();
      expect(await created(first)).toBe("content_too_large");
      expect(await created(second)).toBe("missing_backup_account_proof");
      for (const { client } of [first, second]) {
        const { challenge } = (await client.passkeyChallenge("retrieve")).ok();
        expect(challenge.publicKey.rpId).toBe(client === first.client ? "first.example" : "second.example");
      }
      // a passkey of the one relying party is none of the other
      const passkey = newPasskey({ rpId: "second.example" });
      const payload = await createPayloadOf(first.client, newFactorUser(passkey));
      expect((await first.client.create(payload, Buffer.alloc(10))).code()).toBe("webauthn_error");
    });

    test("accept accounts of their own client ids, and no others", async () => {
      const clock = new SettableClock();
      await using issuer = new OidcIssuer(clock);
      const [first, second] = TWO_APPS;
      const apps = [
        first,
        { ...second, settings: { GOOGLE_CLIENT_ID: "of-second", APPLE_CLIENT_IDS: ["x", "y"] } },
      ];
      await using service = await startService(driver, { clock, env: { ...issuer.env, ...appsEnv(apps) } });
      const views = await appsOf(service);
      const account = newAccount("GOOGLE", issuer);
      for (const [app, aud, code] of [
        [views.first, "of-second", "oidc_token_verification_error"],
        [views.second, issuer.env.GOOGLE_CLIENT_ID, "oidc_token_verification_error"],
        [views.second, "of-second", null],
      ] as const) {
        const claims = { sub: account.sub, email: account.email, aud };
        const user = newFactorUser(account);
        const authorize = (challenge: ChallengeValue) => account.authorize(challenge, { claims });
        const created = await app.client.create(
          await createPayloadOf(app.client, user, authorize),
          user.backup,
        );
        expect(created.status === 200 ? null : created.code()).toBe(code);
      }
    });

    test("have test accounts of their own in development", async () => {
      const env = { APP_ENV: "development", ...appsEnv(TWO_APPS) };
      await using service = await startService(driver, { env });
      await using issuer = new OidcIssuer(service.clock); // makes the requests, and no token
      const { first, second } = await appsOf(service);
      const account = newAccount("GOOGLE", issuer);
      const keypair = createFactorKeypair();
      const request = { provider: "GOOGLE", publicKey: keypair.publicKey, email: account.email } as const;
      const { token } = (await second.client.idToken(request)).ok();
      const user = newFactorUser(account);
      const created = async ({ client }: TestService) =>
        client.create(
          await createPayloadOf(client, user, (challenge) =>
            account.authorize(challenge, { keypair, token }),
          ),
          user.backup,
        );
      expect((await created(first)).code()).toBe("oidc_token_verification_error");
      (await created(second)).ok();
    });

    test("adopt the backups of another service where one of them does", async () => {
      await using legacy = await newLegacyStores();
      const { ADOPT_FROM_S3_BUCKET, ADOPT_FROM_DYNAMODB_TABLE, ...env } = adoptionEnv(legacy);
      const [first, second] = TWO_APPS;
      const settings = { ADOPT_FROM_S3_BUCKET, ADOPT_FROM_DYNAMODB_TABLE };
      await using service = await startService(driver, {
        env: { ...env, ...appsEnv([first, { ...second, settings }]) },
      });
      const views = await appsOf(service);
      const main = newKeypair();
      const moved = legacyUser({ mains: [legacyKeypair(main)] });
      await legacy.add(moved);
      const recover = async ({ client }: TestService) =>
        client.retrieve(await solved(client, "retrieve", main.keypair));
      expect((await recover(views.first)).code()).toBe("backup_untraceable");
      const { backup, metadata } = (await recover(views.second)).ok();
      expect([metadata.id, Buffer.from(backup, "base64")]).toEqual([moved.id, Buffer.from(moved.content)]);
      const { records } = service.services.stores;
      expect(await records.read(moved.id)).toBeNull();
      expect(await records.read(`app/second/${moved.id}`)).not.toBeNull();
      expect((await recover(views.first)).code()).toBe("backup_untraceable");
    });

    test("have limits of their own, and each its own counts of an address", async () => {
      const { env = {} } = lowLimits({ RATE_LIMIT_ADDRESS_STATUS_PER_MINUTE: "2" });
      const apps = [TWO_APPS[0], { ...TWO_APPS[1], settings: { RATE_LIMIT_ADDRESS_STATUS_PER_MINUTE: 3 } }];
      await using service = await startService(driver, { env: { ...env, ...appsEnv(apps) } });
      const { first, second } = await appsOf(service);
      const asks = async ({ client }: TestService) =>
        client.backupStatus({ backupId: newUser().account.backupAccountId });
      for (const [app, times] of [
        [first, 2],
        [second, 3],
      ] as const) {
        for (let time = 0; time < times; time++) expect((await asks(app)).code()).toBe("not_found");
        expectLimited(await asks(app));
      }
    });

    test("share the disk of large responses, and each counts those for its backup", async () => {
      await using service = await startService(driver, { env: appsEnv(TWO_APPS) });
      const { first, second } = await appsOf(service);
      const large = { backupId: newUser().account.backupAccountId, address: "192.0.2.1", bytes: 1_000 };
      const admit = ({ services }: TestService) => services.responsesInFlight.admit(large);
      admit(second);
      admit(second);
      expect(() => admit(second)).toThrow("Too many requests");
      admit(first);
      for (const { services } of [first, second]) expect(services.responsesInFlight.bytes).toBe(3_000);
      expect(first.services.responsePermits).toBe(second.services.responsePermits);
    });

    test("are named in what the webhook gets, and in what it gets of a backup that is deleted", async () => {
      await using receiver = startReceiver();
      await using service = await startService(driver, {
        env: {
          APP_ENV: "development",
          WEBHOOK_URL: receiver.url,
          WEBHOOK_SECRETS: `whsec_${Buffer.alloc(32, 1).toString("base64")}`,
          ...appsEnv(TWO_APPS),
        },
        clock: new SettableClock(Date.now()),
      });
      const { first, second } = await appsOf(service);
      const user = newUser();
      for (const { client } of [first, second]) {
        await userWithBackup(client, user);
        (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
      }
      await receiver.arrived(4);
      const posted = receiver.received.map(({ body }) => JSON.parse(body));
      expect(posted.map(({ type, data }) => [data.app, data.backupId, type]).toSorted()).toEqual(
        ["first", "second"].flatMap((name) => [
          [name, user.account.backupAccountId, "backup.created"],
          [name, user.account.backupAccountId, "backup.deleted"],
        ]),
      );
    });

    test("do not meet in requests that run at the same time", async () => {
      await using service = await startService(driver, { env: appsEnv(TWO_APPS), wrapStores: interleaving });
      const { first, second } = await appsOf(service);
      const users = Array.from({ length: 10 }, () => newUser());
      const inBoth = <T>(run: (app: TestService, user: (typeof users)[number]) => Promise<T>) =>
        Promise.all(users.flatMap((user) => [run(first, user), run(second, user)]));
      const contentOf = ({ services }: TestService, { backup }: (typeof users)[number]) =>
        Buffer.concat([backup, Buffer.from(services.config.app?.name ?? "")]);
      await inBoth(async (app, user) =>
        userWithBackup(app.client, { ...user, backup: contentOf(app, user) }),
      );
      const before = service.logged.length;
      await inBoth(async (app, user) => {
        const { backup } = await recovered(app.client, user);
        expect(Buffer.from(backup, "base64")).toEqual(contentOf(app, user));
      });
      const named = service.logged.slice(before).map((line) => JSON.parse(line).app);
      expect(named.filter((name) => name === "first")).toHaveLength(20);
      expect(named.filter((name) => name === "second")).toHaveLength(20);
      await inBoth(async (app, user) => {
        if (app === first)
          (await app.client.deleteBackup(await solved(app.client, "delete-backup", user.sync))).ok();
        else await recovered(app.client, user);
      });
      await inBoth(async (app, user) => {
        const { status } = await app.client.backupStatus({ backupId: user.account.backupAccountId });
        expect(status).toBe(app === first ? 404 : 200);
      });
    });

    test("lose nothing to a sweep of a service that does not serve them any more", async () => {
      await using service = await startService(driver, {
        env: appsEnv(TWO_APPS),
        clock: new SettableClock(Date.now()),
      });
      const { first, second } = await appsOf(service);
      const user = await userWithBackup(second.client);
      const gone = await userWithBackup(second.client);
      (await second.client.deleteBackup(await solved(second.client, "delete-backup", gone.sync))).ok();
      service.clock.advance(3 * HOUR_MS);
      await userWithBackup(first.client);
      const { stores, restores } = service.services;
      const sweep = createSweep({ ...stores, clock: service.clock, random: systemRandom, restores });
      for (let run = 0; run < 2; run++)
        expect(await sweep()).toMatchObject({ unreferencedBlobs: 0, suspects: 0, refusal: null });
      await recovered(second.client, user);
      const { backupAccountId: backupId } = gone.account;
      const proof = await solved(second.client, "undelete", gone.main, { backupId });
      (await second.client.undelete({ ...proof, backupId })).ok();
    });
  });
}
