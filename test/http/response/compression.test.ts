import { describe, expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import { DRIVERS } from "../../drivers.ts";
import { addedSyncFactor } from "../../support/proven-calls.ts";
import { head, openConnection, type RawAnswer } from "../../support/raw-http.ts";
import { sharedService } from "../../support/shared-service.ts";
import { newUser, randomBytes, solved, type User, userWithBackup } from "../../support/users.ts";

for (const driver of DRIVERS)
  describe(`compression (${driver.name})`, () => {
    const service = sharedService(driver);

    /** Over a socket, since `fetch` asks for compression, and undoes it, by itself. */
    async function post(path: string, body: unknown, acceptEncoding: string | null): Promise<RawAnswer> {
      const text = JSON.stringify(body);
      using connection = await openConnection(service().url);
      const headers = {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(text),
        ...(acceptEncoding === null ? {} : { "accept-encoding": acceptEncoding }),
      };
      await connection.write(head("POST", path, headers) + text);
      return await connection.answer();
    }
    const metadata = async (user: User, acceptEncoding: string | null) => {
      const proof = await solved(service().client, "retrieve-metadata", user.sync);
      return post("/v1/retrieve-metadata", proof, acceptEncoding);
    };
    const userWithManyFactors = async () => {
      const user = await userWithBackup(service().client);
      for (let count = 0; count < 5; count++) await addedSyncFactor(service().client, user);
      return user;
    };

    for (const accepted of ["gzip", "br, gzip;q=0.5", "deflate , GZIP", "x-gzip"])
      test(`is used for metadata over 1 KiB when the client accepts ${accepted}`, async () => {
        const { headers } = await metadata(await userWithManyFactors(), accepted);
        expect(headers.get("content-encoding")).toBe("gzip");
        expect(headers.get("content-type")).toBe("application/json");
        expect(headers.get("vary")).toBe("accept-encoding");
      });

    for (const refused of [null, "", "br", "identity", "gzip;q=0", "gzip; q=0.000", "gzipped"])
      test(`is not used when the client accepts ${refused ?? "nothing"}`, async () => {
        const { headers, body } = await metadata(await userWithManyFactors(), refused);
        expect(headers.get("content-encoding")).toBeUndefined();
        expect(JSON.parse(body).syncFactors).toHaveLength(6);
        expect(Number(headers.get("content-length"))).toBe(Buffer.byteLength(body));
      });

    test("decompresses to the same JSON", async () => {
      const { client, url } = service();
      const user = await userWithManyFactors();
      const proof = await solved(client, "retrieve-metadata", user.sync);
      const init = {
        method: "POST",
        body: JSON.stringify(proof),
        headers: { "content-type": "application/json", "accept-encoding": "gzip" },
        decompress: false,
      };
      const response = await fetch(`${url}/v1/retrieve-metadata`, init);
      const compressed = Buffer.from(await response.arrayBuffer());
      const read = JSON.parse(gunzipSync(compressed).toString());
      expect(read.syncFactors).toHaveLength(6);
      expect(compressed.length).toBeLessThan(JSON.stringify(read).length);
    });

    test("is not used for a few bytes", async () => {
      const { headers } = await post("/v1/backup/status", { backupId: "x" }, "gzip");
      expect(headers.get("content-encoding")).toBeUndefined();
    });

    test("is not used for ciphertext", async () => {
      const { client } = service();
      const user = await userWithBackup(client, newUser(randomBytes(100_000)));
      const { status, headers, body } = await post(
        "/v1/retrieve/from-challenge",
        await solved(client, "retrieve", user.main),
        "gzip",
      );
      expect(status).toBe(200);
      expect(headers.get("content-encoding")).toBeUndefined();
      expect(JSON.parse(body).backup === Buffer.from(user.backup).toString("base64")).toBe(true);
    });
  });
