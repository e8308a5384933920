import { describe, expect, test } from "bun:test";
import { mkdir, rm } from "node:fs/promises";
import { ServiceError } from "../../../src/errors.ts";
import { createResponseFiles, type ResponseFiles } from "../../../src/http/response/response-files.ts";
import { retrievedBackupResponse } from "../../../src/http/response/retrieved-backup.ts";
import type { Metadata } from "../../../src/protocol/metadata.ts";
import { createBackground } from "../../../src/runtime/background.ts";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { StorageUnavailable } from "../../../src/storage/contract.ts";
import { createLogger } from "../../../src/telemetry/logger.ts";
import { DRIVERS } from "../../drivers.ts";
import { head, openConnection } from "../../support/raw-http.ts";
import { startService, type TestService } from "../../support/service.ts";
import { sharedService } from "../../support/shared-service.ts";
import { replaced } from "../../support/store-wrappers.ts";
import { storedRecord } from "../../support/stored.ts";
import { answersIn, temporaryFolder } from "../../support/temporary-folder.ts";
import { newUser, randomBytes, solved, type User, userWithBackup } from "../../support/users.ts";

const PATH = "/v1/retrieve/from-challenge";
const MIB = 1024 * 1024;

async function requestOf({ client }: Pick<TestService, "client">, user: User) {
  const body = JSON.stringify(await solved(client, "retrieve", user.main));
  return { method: "POST", body, headers: { "content-type": "application/json" } };
}

const DAMAGES: readonly (readonly [name: string, damage: (content: Buffer) => Uint8Array])[] = [
  ["has a bit changed at its start", (content) => flipped(content, 0)],
  ["has a bit changed at its end", (content) => flipped(content, content.length - 1)],
  ["lost its last byte", (content) => content.subarray(0, -1)],
  ["lost everything", () => new Uint8Array(0)],
  ["has a byte more", (content) => Buffer.concat([content, Buffer.of(0)])],
  ["is another of its size", (content) => Buffer.from(randomBytes(content.length))],
];

const metadata: Metadata = {
  id: "ä",
  keys: [],
  factors: [],
  syncFactors: [],
  manifestHash: "",
  versions: [],
};

const background = createBackground(await createLogger({ level: "silent", format: "json" }));

describe("the response to a recovery", () => {
  const files = createResponseFiles({ random: systemRandom, background });
  const { signal } = new AbortController();

  for (const size of [1, 2, 3, 65_535, 65_536, 65_537, 262_144, 262_145, 393_215, 393_216, 1_000_000])
    for (const step of [...(size === 262_145 ? [1, 2] : []), 1_000, 1_001, 1_002, 1_000_000])
      test(`is the same JSON for ${size} bytes in pieces of ${step}`, async () => {
        const content = randomBytes(size);
        const stream = new ReadableStream<Uint8Array>({
          start(controller) {
            for (let start = 0; start < size; start += step)
              controller.enqueue(content.slice(start, start + step));
            controller.close();
          },
        });
        const backup = { metadata, syncFactorToken: "token", size, content: stream };
        const made = await retrievedBackupResponse(backup, files, signal);
        expect(made instanceof Response).toBe(size <= 256 * 1024);
        const response = made instanceof Response ? made : made.send();
        const base64 = Buffer.from(content).toString("base64");
        const expected = JSON.stringify({ backup: base64, metadata, syncFactorToken: "token" });
        expect((await response.text()) === expected).toBe(true);
        if (!(made instanceof Response)) await made.close();
      });

  test("is none when the content ends early", async () => {
    const { stream, cancelled } = endless(3);
    const backup = { metadata, syncFactorToken: "token", size: 3 * MIB + 1, content: stream };
    const error = await retrievedBackupResponse(backup, files, signal).catch((error) => error);
    expect(error.message).toContain("1 bytes early");
    expect(cancelled()).toBe(false); // it had ended
  });

  test("cancels the content when it cannot be made", async () => {
    const { stream, cancelled } = endless(Number.POSITIVE_INFINITY);
    const backup = { metadata, syncFactorToken: "token", size: 15 * MIB, content: stream };
    const refusing: ResponseFiles = {
      make: async () => {
        throw new ServiceError("service_unavailable", "the disk is full");
      },
    };
    const error = await retrievedBackupResponse(backup, refusing, signal).catch((error) => error);
    expect(error.code).toBe("service_unavailable");
    expect(cancelled()).toBe(true);
  });
});

/** So many MiB of content. */
function endless(mib: number) {
  let pulls = 0;
  let isCancelled = false;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (pulls++ < mib) controller.enqueue(new Uint8Array(MIB));
        else controller.close();
      },
      cancel() {
        isCancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, cancelled: () => isCancelled };
}

for (const driver of DRIVERS)
  describe(`a recovered backup (${driver.name})`, () => {
    const service = sharedService(driver);

    for (const size of [1_000, 2 * MIB])
      for (const [name, damage] of DAMAGES)
        test(`of ${size} bytes that ${name} is never served, and the log says so`, async () => {
          const { client, services, storage, url, logged } = service();
          const user = await userWithBackup(client, newUser(randomBytes(size)));
          const { blob } = await storedRecord(services, user.account.backupAccountId);
          await storage.overwriteBlob(blob.key, damage(Buffer.from(user.backup)));

          const init = await requestOf(service(), user);
          const lines = logged.length;
          const received = await whole(url + PATH, init);
          expect(received).toBe("internal_server_error");
          expect(
            logged.slice(lines).some((line) => line.includes(blob.key) && line.includes('"level":"error"')),
          ).toBe(true);
        });

    test("that is missing is a logged 500, and the metadata can still be read", async () => {
      const { client, services, url, logged } = service();
      const user = await userWithBackup(client);
      const { blob } = await storedRecord(services, user.account.backupAccountId);
      await services.blobs.delete(blob.key);
      expect(await whole(url + PATH, await requestOf(service(), user))).toBe("internal_server_error");
      expect(logged.some((line) => line.includes(blob.key) && line.includes("missing"))).toBe(true);
      expect(
        (await client.retrieveMetadata(await solved(client, "retrieve-metadata", user.sync))).status,
      ).toBe(200);
    });

    test("whose store fails midway is a logged 500, and nothing of it is left", async () => {
      await using folder = await temporaryFolder();
      await using failing = await startService(driver, {
        wrapStores: ({ records, blobs }) => ({
          records,
          blobs: replaced(blobs, {
            async get(ref) {
              const content = await blobs.get(ref);
              await content?.cancel();
              let pulls = 0;
              return new ReadableStream({
                async pull(controller) {
                  await new Promise((resolve) => setImmediate(resolve));
                  if (pulls++ > 3) return controller.error(new Error("the disk is gone"));
                  controller.enqueue(new Uint8Array(MIB));
                },
              });
            },
          }),
        }),
      });
      const user = await userWithBackup(failing.client, newUser(randomBytes(8 * MIB)));
      expect(await whole(failing.url + PATH, await requestOf(failing, user))).toBe("internal_server_error");
      expect(failing.logged.filter((line) => line.includes("the disk is gone"))).toHaveLength(1);
      expect((await failing.client.health()).status).toBe(200);
      expect(await answersIn(folder)).toEqual([]);
    });

    test("that finds no room in the folder for temporary files is 503, and its proof is not consumed", async () => {
      const { client, clock, logged, url } = service();
      const user = await userWithBackup(client, newUser(randomBytes(MIB)));
      const proof = await solved(client, "retrieve", user.main);
      await using folder = await temporaryFolder();
      await rm(folder.path, { recursive: true });
      const answer = await client.retrieve(proof);
      expect(answer.status).toBe(503);
      expect(answer.code()).toBe("service_unavailable");
      expect(logged.some((line) => line.includes(folder.path) && line.includes("ENOENT"))).toBe(true);
      const readiness = async () => (await fetch(`${url}/ready`)).status;
      expect(await readiness()).toBe(503);
      await mkdir(folder.path);
      clock.advance(1000);
      expect(await readiness()).toBe(200);
      expect((await client.retrieve(proof)).ok().backup.length).toBe(4 * Math.ceil(MIB / 3));
      expect((await client.retrieve(proof)).code()).toBe("already_used");
    });

    test("is discarded when its proof cannot be consumed, and sent when a slow store has consumed it", async () => {
      await using folder = await temporaryFolder();
      let isDown = true;
      await using slow = await startService(driver, {
        wrapStores: ({ records, blobs }) => ({
          blobs,
          records: replaced(records, {
            async consume(...args) {
              while ((await answersIn(folder)).length === 0) await new Promise(setImmediate);
              await new Promise((resolve) => setTimeout(resolve, 300));
              if (isDown) throw new StorageUnavailable("the records are gone");
              return records.consume(...args);
            },
          }),
        }),
      });
      const user = await userWithBackup(slow.client, newUser(randomBytes(MIB)));
      const proof = await solved(slow.client, "retrieve", user.main);
      expect((await slow.client.retrieve(proof)).code()).toBe("service_unavailable");
      expect(await answersIn(folder)).toEqual([]);
      isDown = false;
      const { backup } = (await slow.client.retrieve(proof)).ok();
      expect(backup === Buffer.from(user.backup).toString("base64")).toBe(true);
    });

    test("arrives whole at a client that reads nothing for a while, when its file has no name any more", async () => {
      await using folder = await temporaryFolder();
      const { services, client, url } = service();
      const user = await userWithBackup(client, newUser(randomBytes(15 * MIB)));
      const { method, body, headers } = await requestOf(service(), user);
      const bytes = head(method, PATH, { ...headers, "content-length": body.length }) + body;
      using connection = await openConnection(url);
      connection.pause();
      await connection.write(bytes);
      while ((await answersIn(folder)).length === 0) await new Promise(setImmediate);
      while ((await answersIn(folder)).length > 0) await services.background.settled();
      connection.resume();
      const answer = await connection.answer();
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.body).backup === Buffer.from(user.backup).toString("base64")).toBe(true);
    });
  });

/** The error code of an answer; what became of it where it is none. */
async function whole(url: string, init: RequestInit): Promise<string> {
  try {
    const body = (await (await fetch(url, init)).json()) as { error?: { code: string } };
    return body.error?.code ?? "served";
  } catch {
    return "broke off";
  }
}

function flipped(content: Buffer, position: number): Buffer {
  const damaged = Buffer.from(content);
  damaged[position] = (content[position] ?? 0) ^ 1;
  return damaged;
}
