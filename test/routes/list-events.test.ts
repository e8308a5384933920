import { describe, expect, test } from "bun:test";
import { listEvents, listEventsChallenge } from "../../src/protocol/examples/list-events.ts";
import { restoreVersion, restoreVersionChallenge } from "../../src/protocol/examples/restore-version.ts";
import { timeOrderedId } from "../../src/runtime/time-ordered-id.ts";
import { DRIVERS } from "../drivers.ts";
import { play } from "../support/example.ts";
import { listEventsCall } from "../support/proven-calls.ts";
import { sharedService } from "../support/shared-service.ts";
import { storedRecord } from "../support/stored.ts";
import { recovered, solved, type User, userWithBackup } from "../support/users.ts";
import { existingFactorContract } from "./existing-factors.ts";
import { proofContract } from "./proofs.ts";
import { authorizationMutations, jsonRequestContract, type Mutation, tokenMutations } from "./requests.ts";

const MUTATIONS: readonly Mutation[] = [
  ...authorizationMutations("authorization"),
  ...tokenMutations("challengeToken"),
  ...["x", "", 7, {}].map(
    (before): Mutation => [`with before ${JSON.stringify(before)}`, { before }, "/before"],
  ),
  ...[0, -1, 101, 1.5, "1"].map(
    (limit): Mutation => [`with limit ${JSON.stringify(limit)}`, { limit }, "/limit"],
  ),
];

for (const driver of DRIVERS)
  describe(`events (${driver.name})`, () => {
    test("answers as the API reference shows", () =>
      play(driver, [restoreVersionChallenge, restoreVersion, listEventsChallenge, listEvents]));

    const service = sharedService(driver);

    const page = async ({ sync }: User, more: { before?: string; limit?: number } = {}) => {
      const { client } = service();
      return (await client.listEvents({ ...(await solved(client, "events", sync)), ...more })).ok();
    };

    test("of a new backup are its creation", async () => {
      const { client, clock } = service();
      const user = await userWithBackup(client);
      const { metadata } = await recovered(client, await userWithBackup(client));
      expect(metadata.factors).toHaveLength(1);
      expect(await page(user)).toEqual({
        events: [
          {
            id: expect.stringMatching(
              /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
            ),
            at: Math.floor(clock.nowMs() / 1000),
            kind: "CREATED",
            actor: { factorId: expect.any(String), kind: "EC_KEYPAIR", scope: "MAIN" },
            subject: null,
            client: null,
          },
        ],
        next: null,
      });
    });

    test("come newest first, a page at a time, each once", async () => {
      const { client, clock } = service();
      const user = await userWithBackup(client);
      const times: number[] = [Math.floor(clock.nowMs() / 1000)];
      for (let recovery = 0; recovery < 6; recovery++) {
        clock.advance(1_000);
        times.push(Math.floor(clock.nowMs() / 1000));
        await recovered(client, user);
      }
      const all = await page(user);
      expect(all.events.map(({ at }) => at)).toEqual(times.toReversed());
      expect(all.next).toBeNull();

      const read = [];
      for (let before: string | null | undefined; before !== null; ) {
        const { events, next }: Awaited<ReturnType<typeof page>> = await page(user, {
          limit: 3,
          ...(before === undefined ? {} : { before }),
        });
        expect(events.length).toBeLessThanOrEqual(3);
        read.push(...events);
        before = next;
      }
      expect(read).toEqual(all.events);
      const [, second] = all.events;
      const capital = await page(user, { before: second?.id.toUpperCase() ?? "", limit: 100 });
      expect(capital.events).toEqual(all.events.slice(2));
    });

    test("of a kind that only a newer version of the service knows are shown, and taken by its client", async () => {
      const { client, clock, services } = service();
      const user = await userWithBackup(client);
      clock.advance(1);
      const backupId = user.account.backupAccountId;
      const { logId } = (await storedRecord(services, backupId)).metadata;
      const atMs = clock.nowMs();
      const known = { actor: null, subject: null, client: null };
      const event = {
        id: timeOrderedId(atMs, 0, services.random),
        backupId,
        logId: String(logId),
        atMs,
        expiresAtMs: atMs + 60_000,
        deliverFromMs: null,
        body: { ...known, kind: "MOVED_TO_THE_MOON", crew: 3 },
      };
      await services.records.consume([], undefined, [event]);
      const at = Math.floor(atMs / 1000);
      expect((await page(user)).events[0]).toEqual({ ...known, id: event.id, at, kind: "MOVED_TO_THE_MOON" });
    });

    test("of another backup are not shown, whatever event is named", async () => {
      const { client } = service();
      const [mine, theirs] = [await userWithBackup(client), await userWithBackup(client)];
      const [event] = (await page(theirs)).events;
      const { events } = await page(mine, { before: event?.id ?? "" });
      expect(JSON.stringify(events)).not.toContain(event?.id ?? "nothing");
    });

    proofContract(service, listEventsCall);
    existingFactorContract(service, listEventsCall);
    jsonRequestContract(
      service,
      "/v1/events",
      async (client) => solved(client, "events", (await userWithBackup(client)).sync),
      MUTATIONS,
    );
  });
