import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { BOUNDARY, multipartBody, multipartType, part } from "../support/multipart-body.ts";
import { chunk, head, LAST_CHUNK, openConnection, type RawAnswer } from "../support/raw-http.ts";
import { startService, type TestService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { sharedService } from "../support/shared-service.ts";
import { replaced } from "../support/store-wrappers.ts";
import { blobKeys, indexed } from "../support/stored.ts";
import { answersIn, temporaryFolder } from "../support/temporary-folder.ts";
import {
  createPayload,
  newUser,
  randomBytes,
  recovered,
  solved,
  syncPayload,
  userWithBackup,
} from "../support/users.ts";

const MIB = 1024 * 1024;
const OTHERS = 3;
const CHALLENGE = "/v1/retrieve/challenge/keypair";
const JSON_TYPE = "application/json";

const codeOf = ({ status, body }: RawAnswer): [number, string] => [status, JSON.parse(body).error.code];

for (const driver of DRIVERS)
  describe(`too large a request (${driver.name})`, () => {
    const service = sharedService(driver);

    const declared: readonly (readonly [name: string, path: string, type: string, length: number])[] = [
      ["to a JSON route over 2 MiB", CHALLENGE, JSON_TYPE, 2 * MIB + 1],
      ["to a JSON route of a terabyte", CHALLENGE, JSON_TYPE, 2 ** 40],
      ["to create over 16 MiB", "/v1/create", multipartType(), 16 * MIB + 1],
      ["to sync over 16 MiB", "/v1/sync", multipartType(), 16 * MIB + 1],
      ["to create of 30 MiB", "/v1/create", multipartType(), 30 * MIB],
    ];
    for (const [name, path, type, length] of declared)
      test(`${name} is refused before a byte of its body was sent`, async () => {
        using connection = await openConnection(service().url);
        await connection.write(head("POST", path, { "content-type": type, "content-length": length }));
        expect(codeOf(await connection.answer())).toEqual([413, "content_too_large"]);
      });

    test("in chunks is refused as soon as it has sent too much", async () => {
      using connection = await openConnection(service().url);
      await connection.write(
        head("POST", CHALLENGE, { "content-type": JSON_TYPE, "transfer-encoding": "chunked" }),
      );
      const answer = connection.answer();
      for (let sent = 0; sent <= 2 * MIB; sent += MIB / 4)
        await connection.write(chunk(Buffer.alloc(MIB / 4, 32)));
      expect(codeOf(await answer)).toEqual([413, "content_too_large"]);
    });

    test("to create in chunks is refused as soon as it has sent too much", async () => {
      const { services, url } = service();
      const before = await blobKeys(services);
      using connection = await openConnection(url);
      const headers = { "content-type": multipartType(), "transfer-encoding": "chunked" };
      await connection.write(head("POST", "/v1/create", headers));
      const answer = connection.answer();
      await connection.write(chunk(`--${BOUNDARY}\r\ncontent-disposition: form-data; name="backup"\r\n\r\n`));
      for (let sent = 0; sent <= 16 * MIB; sent += MIB) await connection.write(chunk(new Uint8Array(MIB)));
      expect(codeOf(await answer)).toEqual([413, "content_too_large"]);
      expect((await blobKeys(services)).toSorted()).toEqual(before.toSorted());
    });

    test("is none at exactly 2 MiB, with or without a declared length", async () => {
      const { url } = service();
      const body = `{${" ".repeat(2 * MIB - 2)}}`;
      const answer = await fetch(url + CHALLENGE, {
        method: "POST",
        body,
        headers: { "content-type": JSON_TYPE },
      });
      expect(answer.status).toBe(200);
      using connection = await openConnection(url);
      await connection.write(
        head("POST", CHALLENGE, { "content-type": JSON_TYPE, "transfer-encoding": "chunked" }),
      );
      await connection.write(chunk(body.slice(0, MIB)));
      await connection.write(chunk(body.slice(MIB)));
      await connection.write(LAST_CHUNK);
      expect((await connection.answer()).status).toBe(200);
    });

    test("is none at exactly 15 MiB of backup, which comes back byte for byte", async () => {
      const { client } = service();
      const user = await userWithBackup(client, newUser(randomBytes(15 * MIB)));
      const { backup } = await recovered(client, user);
      expect(Buffer.from(backup, "base64").equals(user.backup)).toBe(true);
      const newer = randomBytes(15 * MIB);
      (await client.sync(await syncPayload(client, user), newer)).ok();
      expect(Buffer.from((await recovered(client, user)).backup, "base64").equals(newer)).toBe(true);
    });

    for (const [name, size] of [
      ["a byte over 15 MiB", 15 * MIB + 1],
      ["30 MiB", 30 * MIB],
    ] as const)
      test(`of ${name} of backup is refused, and nothing changes`, async () => {
        const { client, services } = service();
        const user = await userWithBackup(client);
        const before = await blobKeys(services);
        const content = new Uint8Array(size);
        const synced = await client.sync(await syncPayload(client, user), content);
        expect([synced.status, synced.code()]).toEqual([413, "content_too_large"]);
        const other = newUser();
        const created = await client.create(await createPayload(client, other), content);
        expect([created.status, created.code()]).toEqual([413, "content_too_large"]);
        expect((await blobKeys(services)).toSorted()).toEqual(before.toSorted());
        expect(await indexed(services, "MAIN", other.main)).toBeNull();
        expect((await recovered(client, user)).metadata.manifestHash).toBe(user.manifestHash);
      });

    test("by configuration is one of fewer bytes", async () => {
      await using small = await startService(driver, { env: { MAX_BACKUP_BYTES: "100" } });
      await userWithBackup(small.client, newUser(randomBytes(100)));
      const user = newUser(randomBytes(101));
      const answer = await small.client.create(await createPayload(small.client, user), user.backup);
      expect([answer.status, answer.code()]).toEqual([413, "content_too_large"]);
    });
  });

for (const driver of DRIVERS)
  describe(`a request that takes too long (${driver.name})`, () => {
    test("for a store that never answers is 408", async () => {
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

    test("for an upload that dribbles is 408, and its bytes are let go of", async () => {
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

    test("is 408, and what its late answer would have held is let go of", async () => {
      await using folder = await temporaryFolder();
      const { promise: mayOpen, resolve: open } = Promise.withResolvers<void>();
      const { promise: cancelled, resolve: cancel } = Promise.withResolvers<void>();
      const { promise: givenBack, resolve: giveBack } = Promise.withResolvers<void>();
      await using service = await startService(driver, {
        timeoutMs: 300,
        wrapStores: ({ records, blobs }) => ({
          records: replaced(records, {
            async consume(nonces, issue) {
              const consumption = await records.consume(nonces, issue);
              return consumption && { release: () => consumption.release().then(giveBack) };
            },
          }),
          blobs: replaced(blobs, {
            async get(ref) {
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
      await using service = await startService(driver, {
        timeoutMs: 500,
        wrapStores: ({ records, blobs }) => ({
          records: replaced(records, {
            async commit(change) {
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
      test(`because the client dawdles with ${bytes} bytes changes nothing`, async () => {
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
        await connection.write(body.subarray(500)); // too late: the client was told that it failed
        await timeToAct(service);
        expect((await client.backupStatus({ backupId: user.account.backupAccountId })).code()).toBe(
          "not_found",
        );
        expect(await blobKeys(services)).toHaveLength(OTHERS);
      });

    test("because the client dawdles with JSON changes nothing", async () => {
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
  requestClock.advance(40_000);
}

/** Has others make backups, one after the other: as long as it takes a request that has arrived to do something. */
async function timeToAct({ client, services }: TestService): Promise<void> {
  for (let other = 0; other < OTHERS; other++) await userWithBackup(client);
  await services.background.settled();
}

for (const driver of DRIVERS)
  describe(`an upload that the client breaks off (${driver.name})`, () => {
    const service = sharedService(driver);
    const ways: readonly (readonly [name: string, bytes: number, fraction: number, chunked: boolean])[] = [
      ["in its head", 200_000, 0, false],
      ["in the middle", 200_000, 0.5, false],
      ["before its last bytes", 200_000, 0.999, false],
      ["in chunks, in the middle", 200_000, 0.5, true],
      ["in chunks, before the last one", 200_000, 1, true],
      ["in the middle of a few bytes", 1_000, 0.5, false],
    ];
    for (const [name, bytes, fraction, chunked] of ways)
      test(`${name} changes nothing`, async () => {
        const { client, services, url, logged } = service();
        const before = await blobKeys(services);
        const user = newUser(randomBytes(bytes));
        const payload = JSON.stringify(await createPayload(client, user));
        const body = multipartBody([part("payload", payload), part("backup", user.backup)]);
        const sent = body.subarray(0, Math.floor(body.length * fraction));
        const lines = logged.length;
        {
          using connection = await openConnection(url);
          const framing = chunked ? { "transfer-encoding": "chunked" } : { "content-length": body.length };
          await connection.write(head("POST", "/v1/create", { "content-type": multipartType(), ...framing }));
          if (sent.length > 0) await connection.write(chunked ? chunk(sent) : sent);
          await client.health(); // by now the service has seen the beginning
        }
        while (!logged.slice(lines).some((line) => line.includes('"/v1/create"'))) await client.health();
        await services.background.settled();
        expect((await client.backupStatus({ backupId: user.account.backupAccountId })).code()).toBe(
          "not_found",
        );
        expect((await blobKeys(services)).toSorted()).toEqual(before.toSorted());
        expect(logged.slice(lines).filter((line) => line.includes('"level":"error"'))).toEqual([]);
        (await client.create(JSON.parse(payload), user.backup)).ok(); // its tokens are still good
      });

    test("leaves the connection of others alone", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      expect((await client.verifyFactor(await solved(client, "verify-factor", user.main))).status).toBe(200);
    });
  });
