import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { BOUNDARY, multipartType } from "../support/multipart-body.ts";
import { chunk, head, LAST_CHUNK, openConnection, type RawAnswer } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";
import { sharedService } from "../support/shared-service.ts";
import { blobKeys, indexed } from "../support/stored.ts";
import {
  createPayload,
  newUser,
  randomBytes,
  recovered,
  syncPayload,
  userWithBackup,
} from "../support/users.ts";

const MIB = 1024 * 1024;
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
