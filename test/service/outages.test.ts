/** Calls during which a store fails: what they say, and what they leave for the call that is repeated. */
import { describe, expect, test } from "bun:test";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import {
  created,
  factorService,
  type MainFactor,
  newKeypair,
  newPasskey,
  proven,
} from "../support/factors.ts";
import { type Interceptor, interceptedStores } from "../support/intercepted-stores.ts";
import { solved } from "../support/users.ts";

const MAIN_FACTORS: readonly (readonly [name: string, make: () => MainFactor])[] = [
  ["a keypair", newKeypair],
  ["a passkey", () => newPasskey()],
  ["a passkey that counts", () => newPasskey({ counter: 5 })],
];

const unavailable = () => Promise.reject(new StorageUnavailable("no connection"));

for (const driver of DRIVERS)
  describe(`while the content cannot be read (${driver.name})`, () => {
    let around: Interceptor = (_call, run) => run();
    const { service } = factorService(driver, {
      wrapStores: (stores) => interceptedStores(stores, (call, run) => around(call, run)),
    });

    for (const [name, make] of MAIN_FACTORS) {
      test(`${name} recovers nothing, and its proof stays good`, async () => {
        const { client } = service();
        const user = await created(client, make());
        const proof = await proven(client, "retrieve", user.main);
        around = (call, run) => (call === "blobs.get" ? unavailable() : run());
        const failed = await client.retrieve(proof);
        around = (_call, run) => run();
        expect([failed.status, failed.code()]).toEqual([503, "service_unavailable"]);
        expect((await client.retrieve(proof)).ok().backup).toBe(Buffer.from(user.backup).toString("base64"));
        expect((await client.retrieve(proof)).code()).toBe("already_used");
      });
    }

    test("a counted proof that was used meanwhile is reported as such, also when its backup is gone since", async () => {
      const { client } = service();
      const user = await created(client, newPasskey({ counter: 5 }));
      const proof = await proven(client, "retrieve", user.main);
      const deletion = await solved(client, "delete-backup", user.sync);
      let gets = 0;
      around = async (call, run) => {
        if (call === "blobs.get" && gets++ === 0) {
          (await client.retrieve(proof)).ok(); // let in already, and overtaken by the same request
          (await client.deleteBackup(deletion)).ok();
        }
        return run();
      };
      const failed = await client.retrieve(proof);
      around = (_call, run) => run();
      expect([failed.status, failed.code()]).toEqual([400, "already_used"]);
    });

    test("a proof that was used meanwhile is reported as such, not what failed", async () => {
      const { client } = service();
      const user = await created(client, newKeypair());
      const proof = await proven(client, "retrieve", user.main);
      const before = { consume: false, get: false };
      around = async (call, run) => {
        if (call === "records.consume" && !before.consume) {
          before.consume = true; // let in already, and overtaken by the same request
          (await client.retrieve(proof)).ok();
        } else if (call === "blobs.get" && !before.get) {
          before.get = true;
          return unavailable();
        }
        return run();
      };
      const failed = await client.retrieve(proof);
      around = (_call, run) => run();
      expect([failed.status, failed.code(), before]).toEqual([
        400,
        "already_used",
        { consume: true, get: true },
      ]);
    });
  });
