/** An upload that fails leaves no temporary file and no blob. */
import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DRIVERS } from "../../drivers.ts";
import { BOUNDARY, multipartBody, multipartType, part } from "../../support/multipart-body.ts";
import { head, openConnection } from "../../support/raw-http.ts";
import { startService, type TestService } from "../../support/service.ts";
import { replaced } from "../../support/store-wrappers.ts";
import { openFilesIn, temporaryFolder } from "../../support/temporary-folder.ts";
import { createPayload, newUser, randomBytes, userWithBackup } from "../../support/users.ts";

const LARGE = 2 * 1024 * 1024;

/** Files that an upload has open or has left, and the blobs that are there. */
async function leftovers({ services, storage }: TestService, folder: { readonly path: string }) {
  await services.background.settled();
  const temporary = join(storage.env.DATA_DIR ?? "", "blobs", "tmp");
  const isLocal = services.config.storage.driver === "local";
  return {
    open: (await openFilesIn(folder, "backup-service-")).length,
    named: await readdir(folder.path),
    temporary: isLocal ? await readdir(temporary) : [],
    blobs: (await Array.fromAsync(services.stores.blobs.list())).length,
  };
}

const NOTHING = { open: 0, named: [], temporary: [], blobs: 0 };

for (const driver of DRIVERS)
  describe(`an upload leaves nothing (${driver.name})`, () => {
    /** What the stores have open themselves lies elsewhere. */
    async function openFixture(options: Parameters<typeof startService>[1] = {}) {
      const storage = await driver.environment();
      const folder = await temporaryFolder();
      const service = await startService(driver, { ...options, storage });
      return {
        folder,
        service,
        async [Symbol.asyncDispose]() {
          for (const resource of [service, folder, storage]) await resource[Symbol.asyncDispose]();
        },
      };
    }

    test("when its client goes away in the middle", async () => {
      const begun = Promise.withResolvers<void>();
      const ended = Promise.withResolvers<void>();
      await using fixture = await openFixture({
        wrapStores: ({ records, blobs }) => ({
          records,
          blobs: replaced(blobs, {
            async put(...upload) {
              begun.resolve();
              try {
                return await blobs.put(...upload);
              } finally {
                ended.resolve();
              }
            },
          }),
        }),
      });
      const { service, folder } = fixture;
      const user = newUser(randomBytes(LARGE));
      const payload = JSON.stringify(await createPayload(service.client, user));
      const body = multipartBody([part("payload", payload), part("backup", user.backup)]);
      {
        using connection = await openConnection(service.url);
        const headers = { "content-type": multipartType(BOUNDARY), "content-length": body.length };
        await connection.write(head("POST", "/v1/create", headers));
        await connection.write(body.slice(0, LARGE / 2));
        await begun.promise;
      }
      await ended.promise;
      expect(await leftovers(service, folder)).toEqual(NOTHING);
    });

    test("when its commit is refused", async () => {
      await using fixture = await openFixture();
      const { service, folder } = fixture;
      const { client } = service;
      const user = await userWithBackup(client, newUser(randomBytes(LARGE)));
      const other = { ...newUser(randomBytes(LARGE)), account: user.account };
      const answer = await client.create(await createPayload(client, other), other.backup);
      expect(answer.code()).toBe("backup_account_id_already_exists");
      expect(await leftovers(service, folder)).toEqual({ ...NOTHING, blobs: 1 });
    });
  });
