import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { multipartBody, multipartType, part } from "../support/multipart-body.ts";
import { head, openConnection, type RawAnswer } from "../support/raw-http.ts";
import { startService, type TestService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { replaced } from "../support/store-wrappers.ts";
import { blobKeys } from "../support/stored.ts";
import { answersIn, temporaryFolder } from "../support/temporary-folder.ts";
import { createPayload, newUser, randomBytes, recovered, solved, userWithBackup } from "../support/users.ts";

const OTHERS = 3;
/** More than a request may take. */
const TOO_LONG_MS = 40_000;
const JSON_TYPE = "application/json";
const codeOf = ({ status, body }: RawAnswer): [number, string] => [status, JSON.parse(body).error.code];

for (const driver of DRIVERS)
  describe(`a request that takes too long (${driver.name})`, () => {
    test("for a store that never responds is 408", async () => {
      await using service = await startService(driver, {
        timeoutMs: 50,
        wrapStores: ({ records, blobs }) => ({
          records: replaced(records, { read: () => new Promise(() => {}) }),
          blobs,
        }),
      });
      const answer = await service.client.backupStatus({ backupId: newUser().account.backupAccountId });
      expect([answer.status, answer.code()]).toEqual([408, "request_timeout"]);
      expect(answer.body).toMatchObject({ allowRetry: false });
      expect(answer.headers.get("content-type")).toBe("application/json");
      expect(answer.headers.has("x-request-id")).toBe(true);
    });

    test("for an upload that arrives too slowly is 408, and its bytes are released", async () => {
      const requestClock = new SettableClock();
      await using service = await startService(driver, { requestClock });
      const { services, url } = service;
      const user = newUser();
      const payload = JSON.stringify(await createPayload(service.client, user));
      const body = multipartBody([part("payload", payload), part("backup", randomBytes(100_000))]);
      using connection = await openConnection(url);
      await connection.write(
        head("POST", "/v1/create", {
          "content-type": multipartType(),
          "content-length": String(body.length),
        }),
      );
      await connection.write(body.slice(0, 50_000));
      await tooLong(service, requestClock);
      expect((await connection.answer()).status).toBe(408);
      while (services.uploadBudget.heldBytes > 0) await new Promise(setImmediate);
      await services.background.settled();
      expect(await blobKeys(services)).toEqual([]);
    });

    test("is 408, and what its late response would have kept is released", async () => {
      await using folder = await temporaryFolder();
      const { promise: mayOpen, resolve: open } = Promise.withResolvers<void>();
      const { promise: cancelled, resolve: cancel } = Promise.withResolvers<void>();
      const { promise: givenBack, resolve: giveBack } = Promise.withResolvers<void>();
      const requestClock = new SettableClock();
      await using service = await startService(driver, {
        requestClock,
        wrapStores: ({ records, blobs }) => ({
          records: replaced(records, {
            async consume(nonces, issue) {
              const consumption = await records.consume(nonces, issue);
              return consumption && { release: () => consumption.release().then(giveBack) };
            },
          }),
          blobs: replaced(blobs, {
            async get(ref) {
              requestClock.advance(TOO_LONG_MS);
              await mayOpen;
              await (await blobs.get(ref))?.cancel();
              return new ReadableStream({ pull: () => {}, cancel }, { highWaterMark: 0 });
            },
          }),
        }),
      });
      const { client } = service;
      const user = await userWithBackup(client, newUser(randomBytes(300_000)));
      const answer = await client.retrieve(await solved(client, "retrieve", user.main));
      expect(answer.code()).toBe("request_timeout");
      open();
      await cancelled;
      await givenBack; // the last that is done
      await service.services.background.settled();
      expect(await answersIn(folder)).toEqual([]);
      expect(service.logged.filter((line) => line.includes('"level":"error"'))).toEqual([]);
    });

    test("is 408, and the commit that was under way goes on to its end", async () => {
      const { promise: mayCommit, resolve: letCommit } = Promise.withResolvers<void>();
      const { promise: committed, resolve: wasCommitted } = Promise.withResolvers<void>();
      const requestClock = new SettableClock();
      await using service = await startService(driver, {
        requestClock,
        wrapStores: ({ records, blobs }) => ({
          records: replaced(records, {
            async commit(change) {
              requestClock.advance(TOO_LONG_MS);
              await mayCommit;
              const outcome = await records.commit(change);
              wasCommitted();
              return outcome;
            },
          }),
          blobs,
        }),
      });
      const { client } = service;
      const user = newUser();
      const late = await client.create(await createPayload(client, user), user.backup);
      expect([late.status, late.code()]).toEqual([408, "request_timeout"]);
      letCommit();
      await committed;
      const { backup, metadata } = await recovered(client, user);
      expect(metadata.id).toBe(user.account.backupAccountId);
      expect(Buffer.from(backup, "base64")).toEqual(Buffer.from(user.backup));
    });

    for (const bytes of [100, 200_000])
      test(`because the client sends ${bytes} bytes slowly changes nothing`, async () => {
        const requestClock = new SettableClock();
        await using service = await startService(driver, { requestClock });
        const { client, services, url } = service;
        const user = newUser(randomBytes(bytes));
        const payload = JSON.stringify(await createPayload(client, user));
        const body = multipartBody([part("payload", payload), part("backup", user.backup)]);
        using connection = await openConnection(url);
        const headers = { "content-type": multipartType(), "content-length": body.length };
        await connection.write(head("POST", "/v1/create", headers));
        await connection.write(body.subarray(0, 500));
        await tooLong(service, requestClock);
        expect(codeOf(await connection.answer())).toEqual([408, "request_timeout"]);
        await connection.write(body.subarray(500)); // too late: the client was answered that it failed
        await timeToAct(service);
        expect((await client.backupStatus({ backupId: user.account.backupAccountId })).code()).toBe(
          "not_found",
        );
        expect(await blobKeys(services)).toHaveLength(OTHERS);
      });

    test("because the client sends JSON slowly changes nothing", async () => {
      const requestClock = new SettableClock();
      await using service = await startService(driver, { requestClock });
      const { client, url } = service;
      const user = await userWithBackup(client);
      const body = JSON.stringify(await solved(client, "delete-backup", user.main));
      using connection = await openConnection(url);
      const headers = { "content-type": JSON_TYPE, "content-length": body.length };
      await connection.write(head("POST", "/v1/delete-backup", headers) + body.slice(0, 100));
      await tooLong(service, requestClock);
      expect(codeOf(await connection.answer())).toEqual([408, "request_timeout"]);
      await connection.write(body.slice(100));
      await timeToAct(service);
      expect((await recovered(client, user)).metadata.id).toBe(user.account.backupAccountId);
    });
  });

/** Lets more time pass than a request may take, once the service has it. */
async function tooLong({ services }: TestService, requestClock: SettableClock): Promise<void> {
  while (services.metrics.requestsInFlight.count === 0) await new Promise(setImmediate);
  requestClock.advance(TOO_LONG_MS);
}

/** Has others make backups, one after the other: as long as it takes a request that has arrived to do something. */
async function timeToAct({ client, services }: TestService): Promise<void> {
  for (let other = 0; other < OTHERS; other++) await userWithBackup(client);
  await services.background.settled();
}
