/** What an earlier version has stored serves its owners: every factor, version, deleted state and event. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { DRIVERS, type Driver } from "../drivers.ts";
import { examined } from "../maintenance/doctor/examined-stores.ts";
import { appsEnv } from "../support/apps.ts";
import { proven, recoveredBy, undeletion } from "../support/factors.ts";
import { OidcIssuer } from "../support/oidc-issuer.ts";
import { startService, type TestService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { addSyncFactorRequest, metadataOf, resetRequest, solved, syncPayload } from "../support/users.ts";
import { startReceiver } from "../webhooks/receivers.ts";
import { type Fixture, fixturesOf, storageOf } from "./fixture.ts";
import { factorOf, keypairOf, newContent, type SavedPerson, userOf } from "./people.ts";

/** More than a passkey that counts has reached. */
const COUNTER = 1_000;
const MINUTE_MS = 60_000;

/** The current service on what a version has stored. */
async function openedFixture(driver: Driver, fixture: Fixture, env: Readonly<Record<string, string>> = {}) {
  const storage = await storageOf(fixture);
  const clock = new SettableClock(fixture.endedAtMs + MINUTE_MS);
  const issuer = new OidcIssuer(clock);
  const service = await startService(driver, { storage, clock, env: { ...issuer.env, ...env } });
  return {
    service,
    issuer,
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
      await issuer[Symbol.asyncDispose]();
      await storage[Symbol.asyncDispose]();
    },
  };
}

type Opened = Awaited<ReturnType<typeof openedFixture>>;

async function findings({ services, clock }: TestService) {
  return (await examined({ ...services.stores, clock }, { verify: true })).findings;
}

/** Does what an owner may want, and compares with what the devices know. */
async function expectServed({ service, issuer }: Opened, person: SavedPerson): Promise<void> {
  const { client } = service;
  const [current, ...earlier] = person.contents;
  const [main, ...others] = person.main.map((saved) => factorOf(saved, issuer, COUNTER));
  const [sync, otherSync] = person.sync.map(keypairOf);
  if (!current || !main || !sync || !otherSync) throw new Error("a person has factors and a content");
  const user = userOf(person, main, sync, current);
  if (person.isDeleted) {
    (await undeletion(client, user)).ok();
    const { syncFactorToken } = await recoveredBy(client, main);
    (await client.addSyncFactor(await addSyncFactorRequest(client, sync, syncFactorToken))).ok();
  }
  for (const factor of [main, ...others]) {
    const { backup, metadata } = await recoveredBy(client, factor);
    expect({ backup, manifestHash: metadata.manifestHash }).toEqual(current);
    expect(metadata.factors).toHaveLength(person.main.length);
    expect(metadata.encryptionPublicKey).toBe(person.contents.at(-1)?.manifestHash);
  }
  const { versions } = await metadataOf(client, { sync: otherSync });
  expect(versions.map(({ manifestHash }) => manifestHash)).toEqual(
    earlier.map(({ manifestHash }) => manifestHash),
  );
  for (const [index, { versionId }] of versions.entries()) {
    const request = { ...(await proven(client, "retrieve", main)), versionId };
    expect((await client.retrieve(request)).ok().backup).toBe(earlier[index]?.backup ?? "");
  }

  const next = newContent();
  const payload = await syncPayload(client, user, next.manifestHash);
  (await client.sync(payload, Buffer.from(next.backup, "base64"))).ok();
  expect((await recoveredBy(client, main)).backup).toBe(next.backup);
  const oldest = versions.at(-1)?.versionId ?? "";
  const proof = await solved(client, "restore-version", sync, { versionId: oldest });
  const restore = { ...proof, versionId: oldest, currentManifestHash: next.manifestHash };
  (await client.restoreVersion(restore)).ok();
  expect((await recoveredBy(client, main)).backup).toBe(earlier.at(-1)?.backup ?? "");

  const { events } = (await client.listEvents(await solved(client, "events", sync))).ok();
  const kinds = events.map(({ kind }) => kind);
  expect(kinds.at(-1)).toBe("CREATED");
  expect(kinds).toEqual(expect.arrayContaining(["RECOVERED", "SYNC_FACTOR_ADDED", "VERSION_RESTORED"]));
}

for (const driver of DRIVERS)
  for (const fixture of await fixturesOf(driver.name))
    describe(`what ${fixture.version} has stored on ${driver.name}`, () => {
      let opened: Opened;
      beforeAll(async () => {
        opened = await openedFixture(driver, fixture);
      });
      afterAll(() => opened[Symbol.asyncDispose]());

      test("is sound", async () => {
        expect(await findings(opened.service)).toEqual([]);
      });

      test("accepts the challenge and the sync factor token that clients had then", async () => {
        const { client } = opened.service;
        const { verification, joining } = fixture.inFlight;
        (await client.verifyFactor(verification)).ok();
        expect((await client.verifyFactor(verification)).code()).toBe("already_used");
        const joiner = keypairOf(joining.key);
        const request = await addSyncFactorRequest(client, joiner, joining.syncFactorToken);
        (await client.addSyncFactor(request)).ok();
        expect((await metadataOf(client, { sync: joiner })).syncFactors).toHaveLength(3);
      });

      for (const person of fixture.people)
        test(`serves its owner: ${person.name}`, () => expectServed(opened, person));

      test("is sound after all of that", async () => {
        await opened.service.services.background.settled();
        expect(await findings(opened.service)).toEqual([]);
      });

      test("is reset by the account keys", async () => {
        const { service, issuer } = opened;
        for (const person of fixture.people) {
          const [main] = person.main.map((saved) => factorOf(saved, issuer, 2 * COUNTER));
          const [sync] = person.sync.map(keypairOf);
          const [content] = person.contents;
          if (!main || !sync || !content) throw new Error("a person has factors and a content");
          const request = await resetRequest(service.client, userOf(person, main, sync, content));
          (await service.client.reset(request)).ok();
        }
        const { records } = service.services.stores;
        expect(await Array.fromAsync(records.list())).toEqual([]);
        expect(await Array.fromAsync(records.listFactors())).toEqual([]);
      });

      test("is that of the default app once there are several", async () => {
        const apps = [
          { name: "one", hosts: ["one.example"] },
          { name: "first", hosts: ["127.0.0.1"] },
        ];
        await using later = await openedFixture(driver, fixture, appsEnv(apps));
        for (const person of fixture.people) await expectServed(later, person);
        await later.service.services.background.settled();
        expect(await findings(later.service)).toEqual([]);
      });

      test("has events that the webhook gets now", async () => {
        await using receiver = startReceiver();
        const env = {
          APP_ENV: "development",
          WEBHOOK_URL: receiver.url,
          WEBHOOK_SECRETS: `whsec_${Buffer.alloc(32, 2).toString("base64")}`,
        };
        await using later = await openedFixture(driver, fixture, env);
        await receiver.arrived(fixture.undelivered);
        const ids = receiver.received.map(({ headers }) => headers["webhook-id"]);
        expect(new Set(ids).size).toBe(fixture.undelivered);
        expect(await findings(later.service)).toEqual([]);
      });
    });
