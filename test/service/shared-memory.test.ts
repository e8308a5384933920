/** Who may take how much of the memory that bodies take together, over HTTP; the rules are in upload-budget.test.ts. */
import { describe, expect, test } from "bun:test";
import { setImmediate as nextIteration } from "node:timers/promises";
import { DRIVERS } from "../drivers.ts";
import { multipartBody, multipartType, part } from "../support/multipart-body.ts";
import { chunk, head, openConnection, type RawConnection } from "../support/raw-http.ts";
import { startService, type TestService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { createPayload, newUser, randomBytes } from "../support/users.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const SMALL = 64 * KIB;
const CHALLENGE = "/v1/retrieve/challenge/keypair";
/** More than it takes from what has been read to where the service waits for the next bytes. */
const ITERATIONS = 20;

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await nextIteration();
  for (let count = 0; count < ITERATIONS; count++) await nextIteration();
}

/** Creates a backup of 14 MiB that comes before its payload, so that all of it waits in memory. */
async function createBackupFirst({ client, url }: TestService, address: string): Promise<Response> {
  const user = newUser(randomBytes(14 * MIB));
  const payload = JSON.stringify(await createPayload(client, user));
  const body = multipartBody([part("backup", user.backup), part("payload", payload)]);
  const headers = { "content-type": multipartType(), "x-forwarded-for": address };
  return fetch(`${url}/v1/create`, { method: "POST", headers, body: new Uint8Array(body) });
}

/** An upload that sends 14 MiB of its backup and then nothing more. */
async function stall({ url }: TestService, address: string): Promise<RawConnection> {
  const connection = await openConnection(url);
  const headers = { "content-type": multipartType(), "content-length": 15 * MIB, "x-forwarded-for": address };
  await connection.write(head("POST", "/v1/create", headers));
  const body = multipartBody([part("backup", new Uint8Array(14 * MIB))]);
  await connection.write(body.subarray(0, 14 * MIB));
  return connection;
}

/** A small body of which but a few bytes are missing. */
async function stallSmall({ url }: TestService, address: string): Promise<RawConnection> {
  const connection = await openConnection(url);
  const headers = {
    "content-type": "application/json",
    "content-length": SMALL,
    "x-forwarded-for": address,
  };
  await connection.write(head("POST", CHALLENGE, headers));
  await connection.write(new Uint8Array(SMALL - 10));
  return connection;
}

for (const driver of DRIVERS)
  describe(`the memory for bodies (${driver.name})`, () => {
    const start = async (maxMib: number) => {
      const requestClock = new SettableClock();
      const service = await startService(driver, {
        requestClock,
        env: { MAX_IN_FLIGHT_UPLOAD_BYTES: String(maxMib * MIB), TRUSTED_PROXY_HOPS: "1" },
      });
      return { service, requestClock, held: () => service.services.uploadBudget.heldBytes };
    };

    test("is refused to an address that stalls, and not to others", async () => {
      const { service, held } = await start(68); // a share is 17
      await using _ = service;
      using _stalled = await stall(service, "192.0.2.1");
      await until(() => held() > 13 * MIB);
      for (let more = 0; more < 20; more++) {
        using refused = await stall(service, "192.0.2.1");
        expect((await refused.answer()).status).toBe(503);
      }
      expect((await createBackupFirst(service, "192.0.2.2")).status).toBe(200);
    });

    test("is counted as it is taken, and includes room for what is to come", async () => {
      const { service, held } = await start(68);
      await using _ = service;
      using connection = await openConnection(service.url);
      const headers = { "content-type": "application/json", "transfer-encoding": "chunked" };
      await connection.write(head("POST", CHALLENGE, headers));
      await connection.write(chunk(new Uint8Array(32 * KIB)));
      await until(() => held() === 32 * KIB);
      await connection.write(chunk(new Uint8Array(1)));
      await until(() => held() > 32 * KIB);
      expect(held()).toBe(64 * KIB);
    });

    test("is taken from uploads that stall, of any number of addresses", async () => {
      const { service, held, requestClock } = await start(34);
      await using _ = service;
      using first = await stall(service, "192.0.2.1");
      await until(() => held() > 13 * MIB);
      requestClock.advance(1_000);
      using second = await stall(service, "192.0.2.2");
      await until(() => held() > 27 * MIB);
      expect((await createBackupFirst(service, "192.0.2.3")).status).toBe(503);
      requestClock.advance(2_000);
      expect((await createBackupFirst(service, "192.0.2.3")).status).toBe(200);
      const ended = await first.answer();
      expect([ended.status, ended.headers.get("retry-after")]).toEqual([503, "1"]);
      expect(JSON.parse(ended.body)).toMatchObject({
        allowRetry: true,
        error: { code: "service_unavailable" },
      });
      expect(second.received()).toBe("");
    });

    test("is taken by small bodies too, which are ended when they stall", async () => {
      const { service, held, requestClock } = await start(17);
      await using _ = service;
      const max = 17 * MIB * (1 + 1 / 8);
      const count = Math.floor(max / SMALL);
      const stalled = await Promise.all(
        Array.from({ length: count }, (_, index) => stallSmall(service, `192.0.2.${index % 250}`)),
      );
      await until(() => held() === count * SMALL);
      const ask = () => {
        const headers = { "content-type": "application/json", "x-forwarded-for": "198.51.100.1" };
        return fetch(service.url + CHALLENGE, {
          method: "POST",
          headers,
          body: "{}".padStart(SMALL),
        });
      };
      expect((await ask()).status).toBe(503);
      requestClock.advance(2_000);
      expect((await ask()).status).toBe(200);
      expect(held()).toBeLessThan(count * SMALL);
      for (const connection of stalled) connection[Symbol.dispose]();
      await until(() => held() === 0);
    });

    test("is not taken by discarded bytes", async () => {
      const { service, held } = await start(17);
      await using _ = service;
      const { client, url } = service;
      const payload = { ...(await createPayload(client, newUser())), challengeToken: "garbage" };
      const begin = multipartBody([part("payload", JSON.stringify(payload)), part("backup", "x")]);
      const bodies = [];
      for (let upload = 0; upload < 8; upload++) {
        const connection = await openConnection(url);
        const headers = { "content-type": multipartType(), "transfer-encoding": "chunked" };
        await connection.write(head("POST", "/v1/create", headers));
        await connection.write(chunk(begin.subarray(0, -20)));
        for (let sent = 0; sent < 4; sent++) await connection.write(chunk(new Uint8Array(MIB)));
        bodies.push(connection);
      }
      await client.health();
      await until(() => held() === 0);
      expect((await createBackupFirst(service, "192.0.2.2")).status).toBe(200);
      for (const connection of bodies) connection[Symbol.dispose]();
    });
  });
