import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import type { ApiClient } from "../support/api-client.ts";
import { expectLimited, lowLimits } from "../support/low-limits.ts";
import { multipartBody, multipartType, part } from "../support/multipart-body.ts";
import { chunk, head, LAST_CHUNK, openConnection } from "../support/raw-http.ts";
import { startService, type TestService } from "../support/service.ts";
import { replaced } from "../support/store-wrappers.ts";
import { blobKeys } from "../support/stored.ts";
import {
  createPayload,
  newUser,
  randomBytes,
  recovered,
  syncPayload,
  type User,
  userWithBackup,
} from "../support/users.ts";

const MIB = 1024 * 1024;
const HERE = "198.51.100.7";
const THERE = "198.51.100.8";

const creates = (max: number) => lowLimits({ RATE_LIMIT_ADDRESS_CREATES_PER_HOUR: String(max) });
const bytes = (max: number) => lowLimits({ RATE_LIMIT_ADDRESS_CREATED_BYTES_PER_HOUR: String(max) });

const create = async (client: ApiClient, user: User = newUser()) =>
  client.create(await createPayload(client, user), user.backup);

/** A body of a create, in whose middle a client may stop. */
async function bodyOf(client: ApiClient, user: User): Promise<Uint8Array> {
  const payload = JSON.stringify(await createPayload(client, user));
  return multipartBody([part("payload", payload), part("backup", user.backup)]);
}

for (const driver of DRIVERS)
  describe(`the limit on creates (${driver.name})`, () => {
    test("holds for an address, and ends with the hour", async () => {
      await using service = await startService(driver, creates(2));
      const here = service.clientFrom(HERE);
      const user = await userWithBackup(here);
      await userWithBackup(here);
      const late = newUser();
      const payload = await createPayload(here, late);
      expectLimited(await here.create(payload, late.backup));
      expect(await blobKeys(service.services)).toHaveLength(2);
      await userWithBackup(service.clientFrom(THERE));
      // what is there goes on
      (await here.sync(await syncPayload(here, user), user.backup)).ok();
      await recovered(here, user);
      service.clock.set(Date.UTC(2026, 0, 15, 13));
      (await create(here, late)).ok();
    });

    test("does not use up the proofs of those it refuses", async () => {
      await using service = await startService(driver, creates(1));
      const here = service.clientFrom(HERE);
      await userWithBackup(here);
      const user = newUser();
      const payload = await createPayload(here, user);
      expectLimited(await here.create(payload, user.backup));
      (await service.clientFrom(THERE).create(payload, user.backup)).ok();
    });

    test("does not count creates that fail", async () => {
      await using service = await startService(driver, creates(2));
      const here = service.clientFrom(HERE);
      const user = await userWithBackup(here);
      for (let n = 0; n < 3; n++) {
        const taken = { ...newUser(), account: user.account };
        expect((await create(here, taken)).code()).toBe("backup_account_id_already_exists");
        const other = newUser();
        const payload = await createPayload(here, other);
        const forged = { ...payload, challengeToken: payload.initialSyncChallengeToken };
        expect((await here.create(forged, other.backup)).code()).toBe("signature_verification_error");
        expect((await create(here, newUser(new Uint8Array()))).code()).toBe("empty_backup_file");
      }
      (await create(here)).ok();
      expectLimited(await create(here));
    });

    test("refuses before a byte of the body is sent, whether or not its length is declared", async () => {
      await using service = await startService(driver, creates(1));
      await userWithBackup(service.clientFrom(HERE));
      for (const framing of [{ "content-length": 15 * MIB }, { "transfer-encoding": "chunked" }]) {
        using connection = await openConnection(service.url);
        const headers = { "content-type": multipartType(), "x-forwarded-for": HERE, ...framing };
        await connection.write(head("POST", "/v1/create", headers));
        const answer = await connection.answer();
        expect([answer.status, JSON.parse(answer.body).error.code]).toEqual([429, "too_many_requests"]);
        expect(Number(answer.headers.get("retry-after"))).toBe(3600);
      }
    });

    test("is not passed by many at once, and what those leave that are refused is nothing", async () => {
      const { promise: mayCommit, resolve: letCommit } = Promise.withResolvers<void>();
      let committing = 0;
      await using service = await startService(driver, {
        ...creates(3),
        wrapStores: ({ records, blobs }) => ({
          records: replaced(records, {
            async commit(change) {
              committing += 1;
              if (committing === 3) letCommit();
              await mayCommit;
              return records.commit(change);
            },
          }),
          blobs,
        }),
      });
      const here = service.clientFrom(HERE);
      const users = Array.from({ length: 8 }, () => newUser());
      const payloads = await Promise.all(users.map((user) => createPayload(here, user)));
      const answers = await Promise.all(
        users.map((user, index) => here.create(payloads[index] ?? {}, user.backup)),
      );
      const refused = answers.filter(({ status }) => status !== 200);
      expect(refused).toHaveLength(5);
      for (const answer of refused) expectLimited(answer);
      await service.services.background.settled();
      expect(await blobKeys(service.services)).toHaveLength(3);
    });

    test("is one for several processes, but for what they have not shared yet", async () => {
      await using first = await startService(driver, creates(3));
      await using second = await startService(driver, { ...creates(3), storage: first.storage });
      for (let n = 0; n < 3; n++) await userWithBackup(first.clientFrom(HERE));
      await first.services.background.settled();
      await userWithBackup(second.clientFrom(HERE)); // its first use is when it learns of the others
      await second.services.background.settled();
      expectLimited(await create(second.clientFrom(HERE)));
      (await create(second.clientFrom(THERE))).ok();
    });

    test("releases what an aborted upload held", async () => {
      const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
      await using service = await startService(driver, {
        ...creates(1),
        wrapStores: ({ records, blobs }) => ({
          records,
          blobs: replaced(blobs, {
            put: (backupId, content) => blobs.put(backupId, content).finally(stop),
          }),
        }),
      });
      const here = service.clientFrom(HERE);
      const body = await bodyOf(here, newUser(randomBytes(300_000)));
      {
        using connection = await openConnection(service.url);
        const headers = { "content-type": multipartType(), "x-forwarded-for": HERE };
        await connection.write(head("POST", "/v1/create", { ...headers, "content-length": body.length }));
        await connection.write(body.subarray(0, 200_000));
        const held = await heldUp(here);
        expectLimited(held);
        expect(Number(held.headers.get("retry-after"))).toBeLessThan(60); // it may end at any moment
      }
      await stopped;
      await answered(service);
      (await create(here)).ok();
      expectLimited(await create(here));
    });
  });

/** Tries to create until another create holds the whole limit; such a try fails by itself. */
async function heldUp(client: ApiClient) {
  for (;;) {
    const answer = await client.create({}, randomBytes(1));
    if (answer.status === 429) return answer;
  }
}

/** Resolves when no request but one that asks for it is being answered. */
async function answered({ client, services }: TestService): Promise<void> {
  while (services.metrics.requestsInFlight.count > 0) await client.health();
}

for (const driver of DRIVERS)
  describe(`the limit on created bytes (${driver.name})`, () => {
    const MAX = 15 * MIB;

    test("holds for the bytes of the backups of an address, to the byte", async () => {
      await using service = await startService(driver, bytes(MAX));
      const here = service.clientFrom(HERE);
      (await create(here, newUser(randomBytes(8 * MIB)))).ok();
      expectLimited(await create(here, newUser(randomBytes(8 * MIB))));
      expect(await blobKeys(service.services)).toHaveLength(1);
      (await create(service.clientFrom(THERE), newUser(randomBytes(8 * MIB)))).ok();
      // what is declared is a little more than the backup, but what counts is the backup
      (await create(here, newUser(randomBytes(6 * MIB)))).ok();
      (await create(here, newUser(randomBytes(MIB - 10_000)))).ok();
      expectLimited(await create(here, newUser(randomBytes(10_000))));
      (await create(here, newUser(randomBytes(100)))).ok();
    });

    test("counts what arrives where no length is declared", async () => {
      await using service = await startService(driver, bytes(MAX));
      const here = service.clientFrom(HERE);
      const send = async (size: number) => {
        const body = await bodyOf(here, newUser(randomBytes(size)));
        using connection = await openConnection(service.url);
        const headers = { "content-type": multipartType(), "x-forwarded-for": HERE };
        await connection.write(head("POST", "/v1/create", { ...headers, "transfer-encoding": "chunked" }));
        await connection.write(chunk(body));
        await connection.write(LAST_CHUNK);
        return (await connection.answer()).status;
      };
      // before anything is known of its size it might be the largest
      expect(await send(1_000)).toBe(200);
      expect(await send(1_000)).toBe(429);
      (await create(here, newUser(randomBytes(14 * MIB)))).ok();
    });
  });

test("without limits creates are not counted", async () => {
  const [driver] = DRIVERS;
  if (driver === undefined) throw new Error("there is no driver");
  await using service = await startService(driver, {
    env: { RATE_LIMITS: "false", RATE_LIMIT_ADDRESS_CREATES_PER_HOUR: "1" },
  });
  for (let n = 0; n < 3; n++) await userWithBackup(service.client);
});
