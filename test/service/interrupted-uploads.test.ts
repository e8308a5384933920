import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { multipartBody, multipartType, part } from "../support/multipart-body.ts";
import { chunk, head, openConnection } from "../support/raw-http.ts";
import { sharedService } from "../support/shared-service.ts";
import { blobKeys } from "../support/stored.ts";
import { createPayload, newUser, randomBytes, solved, userWithBackup } from "../support/users.ts";

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
