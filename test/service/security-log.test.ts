/** Each change that matters to the owner's safety leaves one event, and a request that changes nothing leaves none. */
import { describe, expect, test } from "bun:test";
import { collectLeftovers } from "../../src/maintenance/leftovers.ts";
import type { EventFactor, EventKind } from "../../src/protocol/event.ts";
import { DRIVERS } from "../drivers.ts";
import { addFactor } from "../support/additions.ts";
import type { ApiClient } from "../support/api-client.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import {
  type ChallengeValue,
  created,
  type FactorUser,
  factorService,
  ICLOUD,
  newKeypair,
  newPasskey,
  proven,
  recoveredBy,
  removeFactor,
  undeletion,
} from "../support/factors.ts";
import { interceptedStores } from "../support/intercepted-stores.ts";
import { startService, type TestService } from "../support/service.ts";
import { rewriteMetadata } from "../support/stored.ts";
import {
  addSyncFactorRequest,
  replacedContent,
  resetRequest,
  solved,
  syncPayload,
} from "../support/users.ts";

const QUARTER_HOUR_MS = 15 * 60 * 1000;

type Reader = Pick<FactorUser, "sync">;

async function log(client: ApiClient, { sync }: Reader) {
  return (await client.listEvents(await solved(client, "events", sync))).ok().events;
}

/** Runs `act` and returns the events that it left, the oldest first. */
async function left(client: ApiClient, reader: Reader, act: () => Promise<unknown>, after = reader) {
  const before = new Set((await log(client, reader)).map(({ id }) => id));
  await act();
  return (await log(client, after)).filter(({ id }) => !before.has(id)).toReversed();
}

const event = (
  kind: EventKind,
  actor: EventFactor | undefined,
  subject: EventFactor | null | undefined = null,
): unknown => ({ kind, actor, subject });

for (const driver of DRIVERS)
  describe(`the security log (${driver.name})`, () => {
    const { service } = factorService(driver);

    const shown = (events: Awaited<ReturnType<typeof log>>) =>
      events.map(({ kind, actor, subject }): unknown => ({ kind, actor, subject }));

    async function factorsOf({ client }: TestService, user: FactorUser) {
      const { metadata } = await recoveredBy(client, user.main);
      const of = (scope: "MAIN" | "SYNC") => (factor: (typeof metadata.factors)[number] | undefined) =>
        factor && { factorId: factor.id, kind: factor.kind.kind, scope };
      return {
        main: of("MAIN")(metadata.factors.at(0)),
        added: of("MAIN")(metadata.factors.at(1)),
        sync: of("SYNC")(metadata.syncFactors.at(0)),
        joined: of("SYNC")(metadata.syncFactors.at(-1)),
      };
    }

    test("has recoveries, also of a version, and additions of sync factors", async () => {
      const { client, clock } = service();
      const { user, versionId } = await replacedContent(client, await created(client, newKeypair()));
      const { main } = await factorsOf(service(), user);
      const phone = createFactorKeypair();
      const events = await left(client, user, async () => {
        const proof = await solved(client, "retrieve", user.main.keypair);
        (await client.retrieve({ ...proof, versionId })).ok();
        clock.advance(1);
        const { syncFactorToken } = await recoveredBy(client, user.main);
        clock.advance(1);
        (await client.addSyncFactor(await addSyncFactorRequest(client, phone, syncFactorToken))).ok();
      });
      const { joined } = await factorsOf(service(), user);
      expect(shown(events)).toEqual([
        event("RECOVERED", main),
        event("RECOVERED", main),
        event("SYNC_FACTOR_ADDED", main, joined),
      ]);
    });

    test("has the replacement of a sync factor, and its removal", async () => {
      const { client } = service();
      const user = await created(client, newKeypair());
      const { main, sync } = await factorsOf(service(), user);
      const { syncFactorToken } = await recoveredBy(client, user.main);
      const phone = createFactorKeypair();
      const request = await addSyncFactorRequest(client, phone, syncFactorToken);
      const events = await left(
        client,
        user,
        async () => {
          (await client.addSyncFactor({ ...request, syncFactorToReplace: sync?.factorId })).ok();
        },
        { sync: phone },
      );
      const { joined } = await factorsOf(service(), user);
      expect(shown(events)).toEqual([event("SYNC_FACTOR_REPLACED", main, joined)]);

      const other = createFactorKeypair();
      const again = await recoveredBy(client, user.main);
      (await client.addSyncFactor(await addSyncFactorRequest(client, other, again.syncFactorToken))).ok();
      const removal = await left(client, { sync: other }, () =>
        removeFactor(client, other, joined?.factorId ?? "", { scope: "SYNC" }),
      );
      const actor = (await factorsOf(service(), user)).joined;
      expect(shown(removal)).toEqual([event("SYNC_FACTOR_REMOVED", actor, joined)]);
    });

    test("has additions and removals of main factors, and of the keys that go with them", async () => {
      const { client } = service();
      const user = await created(client, newPasskey());
      const { main, sync } = await factorsOf(service(), user);
      const events = await left(client, user, () => addFactor(service(), user.main, newKeypair(), ICLOUD));
      const { added } = await factorsOf(service(), user);
      expect(shown(events)).toEqual([
        event("MAIN_FACTOR_ADDED", main, added),
        event("ENCRYPTION_KEY_ADDED", main),
      ]);
      const removal = await left(client, user, async () => {
        (await removeFactor(client, user.sync, added?.factorId ?? "", { encryptionKey: ICLOUD })).ok();
      });
      expect(shown(removal)).toEqual([
        event("MAIN_FACTOR_REMOVED", sync, added),
        event("ENCRYPTION_KEY_REMOVED", sync),
      ]);
    });

    test("has an addition once, however often it is repeated, and a key only where one is added", async () => {
      const { client } = service();
      const user = await created(client, newKeypair());
      const added = newKeypair();
      const add = () => addFactor(service(), user.main, added);
      const kinds = async () => (await left(client, user, add)).map(({ kind }) => kind);
      expect(await kinds()).toEqual(["MAIN_FACTOR_ADDED"]);
      expect(await kinds()).toEqual([]);
    });

    test("has restored versions", async () => {
      const { client } = service();
      const { user, versionId } = await replacedContent(client, await created(client, newKeypair()));
      const { sync } = await factorsOf(service(), user);
      const events = await left(client, user, async () => {
        const proof = await solved(client, "restore-version", user.sync, { versionId });
        const request = { ...proof, versionId, currentManifestHash: user.manifestHash };
        (await client.restoreVersion(request)).ok();
      });
      expect(shown(events)).toEqual([event("VERSION_RESTORED", sync)]);
    });

    for (const [name, deleteIt, kinds] of [
      [
        "a deletion",
        async ({ client }: TestService, { sync }: FactorUser) =>
          client.deleteBackup(await solved(client, "delete-backup", sync)),
        ["DELETED"],
      ],
      [
        "the removal of the last main factor",
        async ({ client, clock }: TestService, user: FactorUser) => {
          const { metadata } = await recoveredBy(client, user.main);
          clock.advance(1);
          return removeFactor(client, user.sync, metadata.factors[0]?.id ?? "");
        },
        ["RECOVERED", "MAIN_FACTOR_REMOVED", "DELETED"],
      ],
    ] as const)
      test(`goes on after ${name} was undone, and has both`, async () => {
        const { client, clock } = service();
        const user = await created(client, newKeypair());
        const { syncFactorToken } = await recoveredBy(client, user.main);
        const phone = createFactorKeypair();
        (await client.addSyncFactor(await addSyncFactorRequest(client, phone, syncFactorToken))).ok();
        const reader = { sync: phone };
        const events = await left(client, reader, async () => {
          (await deleteIt(service(), user)).ok();
          clock.advance(1);
          (await undeletion(client, user)).ok();
        });
        expect(events.map(({ kind }) => kind)).toEqual([...kinds, "UNDELETED"]);
        expect(events.at(-1)?.actor?.scope).toBe("MAIN");
      });

    test("is not shown to a new backup under the same id", async () => {
      const { client } = service();
      const user = await created(client, newKeypair());
      await recoveredBy(client, user.main);
      (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
      const again = await created(client, newKeypair());
      expect((await log(client, again)).map(({ kind }) => kind)).toEqual(["CREATED"]);
    });

    test("goes with a reset", async () => {
      const { client, services, clock } = service();
      const user = await created(client, newKeypair());
      const { backupAccountId } = user.account;
      const { logId } = (await services.records.read(backupAccountId))?.metadata ?? {};
      (await client.reset(await resetRequest(client, user))).ok();
      if (typeof logId !== "string") throw new Error("the backup has no log");
      clock.advance(QUARTER_HOUR_MS);
      await collectLeftovers(services.stores);
      const page = await services.records.readEvents(logId, { before: null, limit: 100 });
      expect(page.events).toEqual([]);
    });

    test("that went with a reset has no event of a recovery that ends later", async () => {
      let untilReset = async () => {};
      await using delayed = await startService(driver, {
        wrapStores: (stores) =>
          interceptedStores(stores, async (call, run) => {
            if (call === "records.consume") await untilReset();
            return run();
          }),
      });
      const { client, services, clock } = delayed;
      const user = await created(client, newKeypair());
      const { logId } = (await services.records.read(user.account.backupAccountId))?.metadata ?? {};
      if (typeof logId !== "string") throw new Error("the backup has no log");
      const request = await resetRequest(client, user);
      const proof = await proven(client, "retrieve", user.main);
      untilReset = async () => {
        untilReset = async () => {};
        (await client.reset(request)).ok();
        await collectLeftovers(services.stores);
      };
      await client.retrieve(proof);
      clock.advance(QUARTER_HOUR_MS);
      await collectLeftovers(services.stores);
      const page = await services.records.readEvents(logId, { before: null, limit: 100 });
      expect(page.events).toEqual([]);
    });

    test("has a signature counter that went back", async () => {
      const { client } = service();
      const passkey = newPasskey({ counter: 9 });
      const user = await created(client, passkey);
      await recoveredBy(client, passkey);
      const { main } = await factorsOf(service(), user);
      const prove = (challenge: ChallengeValue) => passkey.proveWith(challenge, { counter: 1 });
      const events = await left(client, user, async () => {
        (await client.retrieve(await proven(client, "retrieve", { challengeType: "passkey", prove }))).ok();
      });
      expect(shown(events)).toEqual([event("SIGNATURE_COUNTER_WENT_BACK", main), event("RECOVERED", main)]);
    });

    test("has nothing of updates, readings and requests that fail", async () => {
      const { client } = service();
      const user = await created(client, newKeypair());
      const events = await left(client, user, async () => {
        (await client.sync(await syncPayload(client, user), user.backup)).ok();
        (await client.verifyFactor(await solved(client, "verify-factor", user.main.keypair))).ok();
        (await client.retrieveMetadata(await solved(client, "retrieve-metadata", user.sync))).ok();
        const proof = await solved(client, "retrieve", user.main.keypair);
        expect((await client.retrieve({ ...proof, versionId: "none" })).status).toBe(400);
        expect((await removeFactor(client, user.sync, "none")).status).toBe(400);
        expect((await client.sync(await syncPayload(client, user), user.backup)).status).toBe(412);
      });
      expect(events).toEqual([]);
    });

    test("begins with the first event of a backup that an earlier release has stored", async () => {
      const { client, services } = service();
      const user = await created(client, newKeypair());
      await rewriteMetadata(services, user.account.backupAccountId, ({ logId, ...others }) => others);
      expect(await log(client, user)).toEqual([]);
      await recoveredBy(client, user.main);
      await recoveredBy(client, user.main);
      expect((await log(client, user)).map(({ kind }) => kind)).toEqual(["RECOVERED", "RECOVERED"]);
    });

    for (const [name, headers, expected] of [
      [
        "both headers",
        { "client-name": "Notes", "client-version": "1.2.3" },
        { name: "Notes", version: "1.2.3" },
      ],
      ["a name alone", { "client-name": " Notes " }, { name: "Notes", version: "" }],
      ["no name", {}, null],
      ["texts that are too long", { "client-name": "n".repeat(100) }, { name: "n".repeat(64), version: "" }],
      ["control characters", { "client-name": "a\tb\u0085c" }, { name: "a b c", version: "" }],
    ] as const)
      test(`says which app it was, by ${name}`, async () => {
        const { client, clock, url } = service();
        const user = await created(client, newKeypair());
        clock.advance(1);
        const body = JSON.stringify(await solved(client, "retrieve", user.main.keypair));
        const response = await fetch(`${url}/v1/retrieve/from-challenge`, {
          method: "POST",
          body,
          headers: { "content-type": "application/json", ...headers },
        });
        expect(response.status).toBe(200);
        expect((await log(client, user))[0]?.client).toEqual(expected);
      });
  });
