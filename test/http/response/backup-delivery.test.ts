/** Few large responses are made at a time, and one client has no more than its share of them. */
import { describe, expect, test } from "bun:test";
import type { Stores } from "../../../src/services.ts";
import { DRIVERS } from "../../drivers.ts";
import type { ApiClient } from "../../support/api-client.ts";
import { head, openConnection, type RawConnection } from "../../support/raw-http.ts";
import { startService, type TestService } from "../../support/service.ts";
import { replaced } from "../../support/store-wrappers.ts";
import { ANSWER_PREFIX, answersIn, openFilesIn, temporaryFolder } from "../../support/temporary-folder.ts";
import { newUser, randomBytes, solved, type User, userWithBackup } from "../../support/users.ts";

const PATH = "/v1/retrieve/from-challenge";
const MIB = 1024 * 1024;
/** Just so large that its answer is made in a file. */
const LARGE = 300_000;
const BEHIND_A_PROXY = { TRUSTED_PROXY_HOPS: "1" };

function largeUser(client: ApiClient, bytes = LARGE): Promise<User> {
  return userWithBackup(client, newUser(randomBytes(bytes)));
}

/** A recovery whose client reads nothing of the answer yet, once that is being sent. */
async function slowRecovery(
  { client, url }: Pick<TestService, "client" | "url">,
  user: User,
  address = "192.0.2.1",
): Promise<RawConnection> {
  const connection = await sendRecovery(url, await solved(client, "retrieve", user.main), address);
  while (connection.received().length === 0) await new Promise(setImmediate);
  connection.pause();
  return connection;
}

async function sendRecovery(url: string, proof: object, address: string): Promise<RawConnection> {
  const body = JSON.stringify(proof);
  const headers = { "content-type": "application/json", "x-forwarded-for": address };
  const connection = await openConnection(url);
  await connection.write(head("POST", PATH, { ...headers, "content-length": body.length }) + body);
  return connection;
}

/** Blob stores whose reading begins when the test says so. */
function gatedReading() {
  const begun: string[] = [];
  const requested = { count: 0 };
  const gates: (() => void)[] = [];
  let isOpen = false;
  return {
    /** The keys of the blobs whose reading was asked for, in this order. */
    begun,
    /** How many recoveries wait for a permit, or have had one. */
    requested,
    admitNext: () => gates.shift()?.(),
    admitAll() {
      isOpen = true;
      for (const admit of gates.splice(0)) admit();
    },
    wrapStores: ({ records, blobs }: Stores) => ({
      records: replaced(records, {
        consume(...values) {
          requested.count++; // while others read
          return records.consume(...values);
        },
      }),
      blobs: replaced(blobs, {
        async get(ref, client) {
          begun.push(ref.key);
          if (!isOpen) await new Promise<void>((resolve) => gates.push(resolve));
          return blobs.get(ref, client);
        },
      }),
    }),
  };
}

async function blobKey({ services }: TestService, { account }: User): Promise<string> {
  return (await services.records.read(account.backupAccountId))?.blob.key ?? "";
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise(setImmediate);
}

for (const driver of DRIVERS)
  describe(`recovering large backups (${driver.name})`, () => {
    test("200 recoveries of one backup take two reservations, and others do not wait for them", async () => {
      const reading = gatedReading();
      const { wrapStores } = reading;
      await using service = await startService(driver, { wrapStores, env: BEHIND_A_PROXY });
      const hostile = service.clientFrom("192.0.2.1");
      const [hostileUser, honestUser] = [await largeUser(service.client), await largeUser(service.client)];
      const proofs = await Promise.all(
        Array.from({ length: 200 }, () => solved(hostile, "retrieve", hostileUser.main)),
      );
      const refused: number[] = [];
      const answers = proofs.map(async (proof, index) => {
        const answer = await hostile.retrieve(proof);
        if (answer.status === 429) refused.push(index);
        return answer;
      });
      await until(() => reading.begun.length === 2 && refused.length === 198);

      const honest = service.clientFrom("192.0.2.2");
      const recovery = honest.retrieve(await solved(honest, "retrieve", honestUser.main));
      await until(() => reading.begun.length === 3);
      expect(reading.begun[2]).toBe(await blobKey(service, honestUser));
      reading.admitAll();
      expect((await recovery).ok().backup.length).toBe(400_000);

      for (const [index, answer] of (await Promise.all(answers)).entries())
        if (refused.includes(index)) expect(answer.headers.get("retry-after")).toBe("5");
        else expect(answer.ok().backup.length).toBe(400_000);
      const [first = 0] = refused;
      const again = await hostile.retrieve(proofs[first] ?? {});
      expect(again.ok().backup.length).toBe(400_000); // a refusal uses up nothing
    });

    test("an address with many backups has three of the four permits, and two addresses are served alternately", async () => {
      const reading = gatedReading();
      const { wrapStores } = reading;
      await using service = await startService(driver, { wrapStores, env: BEHIND_A_PROXY });
      const users = await Promise.all(Array.from({ length: 7 }, () => largeUser(service.client)));
      const recover = async (address: string, user: User) => {
        const client = service.clientFrom(address);
        return client.retrieve(await solved(client, "retrieve", user.main));
      };
      const [honestUser, ...hostileUsers] = users;
      if (honestUser === undefined) throw new Error("no user");
      const hostile = hostileUsers.flatMap((user) => [
        recover("192.0.2.1", user),
        recover("192.0.2.1", user),
      ]);
      await until(() => reading.begun.length === 3);
      const other = [recover("192.0.2.3", honestUser)];
      await until(() => reading.begun.length === 4);
      expect(reading.begun[3]).toBe(await blobKey(service, honestUser));

      // all permits are taken, and nine waiting recoveries of the hostile client came before this one
      const honest = recover("192.0.2.2", honestUser);
      await until(() => reading.requested.count === hostile.length + 2);
      const key = await blobKey(service, honestUser);
      const turnsUntilHonest = async () => {
        for (let count = 1; ; count++) {
          const begun = reading.begun.length;
          reading.admitNext();
          await until(() => reading.begun.length > begun);
          if (reading.begun.at(-1) === key) return count;
        }
      };
      expect(await turnsUntilHonest()).toBeLessThanOrEqual(2);
      reading.admitAll();
      for (const answer of await Promise.all([honest, ...other, ...hostile])) answer.ok();
    });

    test("a client that is gone when a permit is free takes none", async () => {
      const reading = gatedReading();
      const { wrapStores } = reading;
      await using service = await startService(driver, { wrapStores, env: BEHIND_A_PROXY });
      const users = await Promise.all(Array.from({ length: 5 }, () => largeUser(service.client)));
      const busy = users.slice(0, 3).map(async ({ main }) => {
        const client = service.clientFrom("192.0.2.1");
        return client.retrieve(await solved(client, "retrieve", main));
      });
      await until(() => reading.begun.length === 3);
      const [gone, last] = users.slice(3);
      if (gone === undefined || last === undefined) throw new Error("no users");
      const proof = await solved(service.client, "retrieve", gone.main);
      {
        using _ = await sendRecovery(service.url, proof, "192.0.2.1");
        await until(() => reading.requested.count === 4);
      }
      await until(() => service.server.runningRequests === busy.length); // the service has heard of the end
      reading.admitAll();
      for (const answer of await Promise.all(busy)) answer.ok();
      const client = service.clientFrom("192.0.2.1");
      (await client.retrieve(await solved(client, "retrieve", last.main))).ok();
      expect(reading.begun).not.toContain(await blobKey(service, gone));
      expect((await client.retrieve(proof)).ok().backup.length).toBe(400_000);
    });

    test("slow readers of one address take a quarter of the disk that answers may take", async () => {
      await using folder = await temporaryFolder();
      await using service = await startService(driver, {
        env: { ...BEHIND_A_PROXY, MAX_IN_FLIGHT_ANSWER_BYTES: String(256 * MIB) },
      });
      const users = await Promise.all(Array.from({ length: 4 }, () => largeUser(service.client, 15 * MIB)));
      const slow = [];
      for (const user of users.slice(0, 3)) slow.push(await slowRecovery(service, user));
      const [fourth] = users.slice(3);
      if (fourth === undefined) throw new Error("no user");
      const hostile = service.clientFrom("192.0.2.1");
      const proof = await solved(hostile, "retrieve", fourth.main);
      expect((await hostile.retrieve(proof)).code()).toBe("too_many_requests");
      const metrics = await (await fetch(`${service.server.metricsUrl}/metrics`)).text();
      const [, held] = /^answer_disk_bytes (\d+)$/m.exec(metrics) ?? [];
      expect(Number(held) / MIB).toBeCloseTo(60, 1);
      const honest = service.clientFrom("192.0.2.2");
      expect((await honest.retrieve(proof)).ok().backup.length).toBe(20 * MIB);

      for (const connection of slow) connection[Symbol.dispose]();
      await until(async () => (await openFilesIn(folder, ANSWER_PREFIX)).length === 0);
      const again = await solved(hostile, "retrieve", fourth.main);
      expect((await hostile.retrieve(again)).ok().backup.length).toBe(20 * MIB);
      await service.services.background.settled();
      expect(await answersIn(folder)).toEqual([]);
    });

    test("a reader slower than 64 KiB/s is broken off, and takes no disk from then on", async () => {
      await using folder = await temporaryFolder();
      await using service = await startService(driver, { env: BEHIND_A_PROXY });
      using slow = await slowRecovery(service, await largeUser(service.client, 15 * MIB));
      service.clock.advance(30_000 + 319_000);
      await new Promise((resolve) => setTimeout(resolve, 250)); // it is looked up every 100 ms
      expect(await openFilesIn(folder, ANSWER_PREFIX)).not.toEqual([]);
      service.clock.advance(3_000);
      const blocks = async () =>
        (await openFilesIn(folder, ANSWER_PREFIX)).reduce((sum, file) => sum + file.blocks, 0);
      await until(async () => (await blocks()) === 0);
      slow.resume();
      const error = await slow.answer().catch((error) => error);
      expect(error.message).toContain("the connection ended after");
    });
  });
