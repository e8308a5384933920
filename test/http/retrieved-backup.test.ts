import { describe, expect, test } from "bun:test";
import { retrievedBackupResponse } from "../../src/http/retrieved-backup.ts";
import { DRIVERS } from "../drivers.ts";
import { startService, type TestService } from "../support/service.ts";
import { sharedService } from "../support/shared-service.ts";
import { replaced } from "../support/store-wrappers.ts";
import { storedRecord } from "../support/stored.ts";
import { newUser, randomBytes, solved, type User, userWithBackup } from "../support/users.ts";

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

describe("the answer of a recovery", () => {
  for (const size of [1, 2, 3, 65_535, 65_536, 65_537, 196_607, 196_608, 196_609, 1_000_000])
    for (const step of [1_000, 1_001, 1_002, 1_000_000])
      test(`is the same JSON for ${size} bytes in pieces of ${step}`, async () => {
        const content = randomBytes(size);
        const stream = new ReadableStream<Uint8Array>({
          start(controller) {
            for (let start = 0; start < size; start += step)
              controller.enqueue(content.slice(start, start + step));
            controller.close();
          },
        });
        const metadata = { note: "ä" };
        const response = await retrievedBackupResponse(
          { metadata, syncFactorToken: "token", size, content: stream },
          (error) => {
            throw error;
          },
        );
        const backup = Buffer.from(content).toString("base64");
        const expected = JSON.stringify({ backup, metadata, syncFactorToken: "token" });
        expect((await response.text()) === expected).toBe(true);
      });

  test("that the client leaves in the middle is no failure of ours", async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const content = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          ask();
          await new Promise(setImmediate);
          controller.enqueue(randomBytes(3_000));
        },
      },
      { highWaterMark: 0 },
    );
    const broken: unknown[] = [];
    const response = await retrievedBackupResponse(
      { metadata: {}, syncFactorToken: "token", size: MIB, content },
      (error) => broken.push(error),
    );
    const reader = response.body?.getReader();
    const read = reader?.read();
    await asked;
    await reader?.cancel();
    await read;
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    expect(broken).toEqual([]);
  });
});

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

    test("whose store fails half-way is cut off, so that no client takes it for whole", async () => {
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
      expect(await whole(failing.url + PATH, await requestOf(failing, user))).toBe("broke off");
      expect(failing.logged.filter((line) => line.includes("the disk is gone"))).toHaveLength(1);
      expect((await failing.client.health()).status).toBe(200);
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
