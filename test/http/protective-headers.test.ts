import { describe, expect, test } from "bun:test";
import { startServer } from "../../src/http/listen.ts";
import { DRIVERS } from "../drivers.ts";
import { interceptedStores } from "../support/intercepted-stores.ts";
import { startService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { sharedService } from "../support/shared-service.ts";
import { newUser, randomBytes, solved, userWithBackup } from "../support/users.ts";

const CHALLENGE = "/v1/sync/challenge/keypair";

function expectProtected({ headers }: { readonly headers: Headers }, cacheControl = "no-store"): void {
  expect([headers.get("x-content-type-options"), headers.get("cache-control")]).toEqual([
    "nosniff",
    cacheControl,
  ]);
}

for (const driver of DRIVERS)
  describe(`no answer is stored or taken for another type (${driver.name})`, () => {
    const service = sharedService(driver);

    test("a challenge, a recovery of any size, a deletion without body", async () => {
      const { client } = service();
      for (const bytes of [10, 1_000_000]) {
        const user = await userWithBackup(client, newUser(randomBytes(bytes)));
        expectProtected(await client.keypairChallenge("retrieve"));
        const retrieved = await client.retrieve(await solved(client, "retrieve", user.main));
        expect(retrieved.status).toBe(200);
        expectProtected(retrieved);
        const deleted = await client.deleteBackup(await solved(client, "delete-backup", user.sync));
        expect(deleted.status).toBe(204);
        expectProtected(deleted);
      }
    });

    const json = { "content-type": "application/json" };
    const cases: readonly (readonly [name: string, path: string, init: RequestInit, status: number])[] = [
      ["of the router", "/v1/nowhere", {}, 404],
      ["of the router, outside /v1", "/nowhere", {}, 404],
      ["of the router for a wrong method", CHALLENGE, {}, 405],
      ["of the router for OPTIONS", CHALLENGE, { method: "OPTIONS" }, 405],
      ["of the parser", CHALLENGE, { method: "POST", headers: json, body: "{" }, 400],
      [
        "of the validator",
        "/v1/backup/status",
        { method: "POST", headers: json, body: '{"backupId":1}' },
        422,
      ],
      ["of a handler", "/v1/sync", { method: "POST", headers: json, body: "{}" }, 400],
      ["of the body limit", CHALLENGE, { method: "POST", headers: json, body: "x".repeat(3_000_000) }, 413],
    ];
    for (const [name, path, init, status] of cases)
      test(`an error ${name}`, async () => {
        const response = await fetch(service().url + path, init);
        expect(response.status).toBe(status);
        expectProtected(response);
      });

    test("health, and what the reference has to cache", async () => {
      const { url } = service();
      expectProtected(await fetch(`${url}/health`));
      expectProtected(await fetch(`${url}/openapi.json`), "no-cache");
      expectProtected(await fetch(`${url}/docs/scalar.js`), "no-cache");
    });

    test("an answer that could not be sent", async () => {
      const { services } = service();
      const server = startServer(services, { fetch: () => Promise.reject(new Error("the file is gone")) });
      try {
        const answer = await fetch(`${server.url}/v1/nowhere`);
        expect(answer.status).toBe(500);
        expectProtected(answer);
      } finally {
        await server.stop(0);
      }
    });

    test("metrics, and a path besides them", async () => {
      const { metricsUrl } = service().server;
      const [metrics, none] = [await fetch(`${metricsUrl}/metrics`), await fetch(`${metricsUrl}/none`)];
      expect([metrics.status, none.status]).toEqual([200, 404]);
      expectProtected(metrics);
      expectProtected(none);
    });
  });

test("a request that takes too long, and one that is over a limit, are answered so too", async () => {
  const [driver] = DRIVERS;
  if (driver === undefined) throw new Error("there is no driver");
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const requestClock = new SettableClock();
  let isHeld = false;
  await using service = await startService(driver, {
    requestClock,
    env: { RATE_LIMITS: "true", RATE_LIMIT_ADDRESS_CHALLENGES_PER_MINUTE: "1" },
    wrapStores: (stores) =>
      interceptedStores(stores, async (call, run) => {
        if (isHeld && call === "records.read") {
          requestClock.advance(40_000);
          await held;
        }
        return run();
      }),
  });
  const { client } = service;
  isHeld = true;
  const late = await client.backupStatus({ backupId: newUser().account.backupAccountId });
  release();
  expect(late.status).toBe(408);
  expectProtected(late);
  await client.keypairChallenge("sync");
  const limited = await client.keypairChallenge("sync");
  expect(limited.status).toBe(429);
  expectProtected(limited);
});
