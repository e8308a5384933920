import { describe, expect, test } from "bun:test";
import { setImmediate as nextIteration } from "node:timers/promises";
import { DRIVERS } from "../drivers.ts";
import { multipartBody, multipartType, part } from "../support/multipart-body.ts";
import { head, openConnection } from "../support/raw-http.ts";
import { startService, type TestService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { blobKeys } from "../support/stored.ts";
import { createPayload, newUser, randomBytes, recovered, solved, userWithBackup } from "../support/users.ts";

const MIB = 1024 * 1024;
/** More than it takes from what has been read to where the service waits for the next bytes. */
const ITERATIONS = 20;

/** A create of 4 MiB, which 64 s are allowed for. Nothing of it is stored before its end. */
async function bigCreate({ client }: TestService) {
  const user = newUser(randomBytes(4 * MIB));
  const payload = JSON.stringify(await createPayload(client, user));
  return { user, body: multipartBody([part("backup", user.backup), part("payload", payload)]) };
}

/** Sends the head of a create and the beginning of its body, and waits until the service has read that. */
async function beginCreate(service: TestService, body: Uint8Array, bytes: number) {
  const connection = await openConnection(service.url);
  const headers = { "content-type": multipartType(), "content-length": body.length };
  await connection.write(head("POST", "/v1/create", headers));
  await connection.write(body.subarray(0, bytes));
  while (service.services.uploadBudget.heldBytes < bytes - 64 * 1024) await nextIteration();
  for (let count = 0; count < ITERATIONS; count++) await nextIteration();
  return connection;
}

/** Longer than it takes to notice that a request takes too long. */
const toNotice = () => Bun.sleep(1_500);

for (const driver of DRIVERS)
  describe(`an upload over a slow link (${driver.name})`, () => {
    test("may take longer than other requests, as long as enough has arrived", async () => {
      const requestClock = new SettableClock();
      await using service = await startService(driver, { requestClock });
      const { user, body } = await bigCreate(service);
      using connection = await beginCreate(service, body, 2 * MIB);
      requestClock.advance(60_000); // 32 s for what has arrived, and 28 of 30
      await toNotice();
      await connection.write(body.subarray(2 * MIB));
      expect((await connection.answer()).status).toBe(200);
      expect(Buffer.from((await recovered(service.client, user)).backup, "base64").equals(user.backup)).toBe(
        true,
      );
    });

    test("is 408 once it is slower than it may be", async () => {
      const requestClock = new SettableClock();
      await using service = await startService(driver, { requestClock });
      const { body } = await bigCreate(service);
      using connection = await beginCreate(service, body, 2 * MIB);
      requestClock.advance(63_000);
      const answer = await connection.answer();
      expect([answer.status, JSON.parse(answer.body).error.code]).toEqual([408, "request_timeout"]);
      while (service.services.uploadBudget.heldBytes > 0) await nextIteration();
      await service.services.background.settled();
      expect(await blobKeys(service.services)).toEqual([]);
    });

    test("does not extend the time for JSON", async () => {
      const requestClock = new SettableClock();
      await using service = await startService(driver, { requestClock });
      const user = await userWithBackup(service.client);
      const body = JSON.stringify({
        ...(await solved(service.client, "delete-backup", user.sync)),
        unknown: "x".repeat(MIB),
      });
      using connection = await openConnection(service.url);
      const headers = { "content-type": "application/json", "content-length": body.length };
      await connection.write(head("POST", "/v1/delete-backup", headers) + body.slice(0, MIB));
      while (service.services.uploadBudget.heldBytes < MIB) await nextIteration();
      requestClock.advance(30_000);
      expect((await connection.answer()).status).toBe(408);
      await recovered(service.client, user);
    });
  });
