/** Every operation as the first one that names a backup of the other service, and what it costs there. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { addFactorRequest } from "../crash/scenario.ts";
import { DRIVERS } from "../drivers.ts";
import { createAccountKeypair } from "../support/account-keypair.ts";
import { type AdoptionWorld, adoptionWorld } from "../support/adopting-service.ts";
import type { ApiClient, ApiResponse } from "../support/api-client.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { newKeypair, proven, removeFactor } from "../support/factors.ts";
import { brokenInvariantsOfAll } from "../support/invariants.ts";
import { type LegacyUser, legacyKeypair, legacyUser } from "../support/legacy-users.ts";
import { mainFactorIds } from "../support/moved-in-users.ts";
import type { TestService } from "../support/service.ts";
import {
  createPayload,
  newManifestHash,
  newUser,
  randomBytes,
  resetRequest,
  solved,
  type User,
  userWithBackup,
} from "../support/users.ts";

/** A user of the other service with the keys in hand: `user` has the account, the main and the sync factor. */
interface Owner {
  readonly legacy: LegacyUser;
  readonly user: User;
}

function newOwner(mains = 2): Owner {
  const main = newKeypair();
  const others = Array.from({ length: mains - 1 }, () => legacyKeypair());
  const account = createAccountKeypair();
  const legacy = legacyUser({ id: account.backupAccountId, mains: [legacyKeypair(main), ...others] });
  const [sync] = legacy.syncs;
  if (sync === undefined) throw new Error("the user has no sync factor");
  const { content: backup, manifestHash } = legacy;
  return { legacy, user: { account, main: main.keypair, sync, backup, manifestHash } };
}

/** Once the rows or the id led to it: metadata, rows of all its factors, the ciphertext, and the metadata once more. */
const TAKE_OVER = ["source.metadata", "source.rows", "source.ciphertextPieces", "source.metadata"];
const BY_FACTOR = ["source.rows", ...TAKE_OVER];

interface First {
  readonly name: string;
  send(client: ApiClient, owner: Owner): Promise<ApiResponse<unknown>>;
  readonly calls: readonly string[];
  /** Whether the backup is here afterwards. */
  readonly stays: boolean;
}

const sync = async (client: ApiClient, { user }: Owner) =>
  client.sync(
    {
      ...(await solved(client, "sync", user.sync)),
      currentManifestHash: user.manifestHash,
      newManifestHash: newManifestHash(),
    },
    randomBytes(50),
  );

const FIRSTS: readonly First[] = [
  {
    name: "verify-factor",
    send: async (client, { user }) =>
      client.verifyFactor(await proven(client, "verify-factor", newKeypair(user.main))),
    calls: BY_FACTOR,
    stays: true,
  },
  {
    name: "retrieve",
    send: async (client, { user }) => client.retrieve(await solved(client, "retrieve", user.main)),
    calls: BY_FACTOR,
    stays: true,
  },
  {
    name: "retrieve-metadata",
    send: async (client, { user, legacy }) =>
      client.retrieveMetadata({
        ...(await solved(client, "retrieve-metadata", user.sync)),
        backupId: legacy.id,
      }),
    calls: BY_FACTOR,
    stays: true,
  },
  { name: "sync", send: sync, calls: BY_FACTOR, stays: true },
  {
    name: "add-factor",
    send: async (client, { user }) =>
      client.addFactor(await addFactorRequest(client, user.main, createFactorKeypair())),
    calls: [...BY_FACTOR, "source.rows"], // the last for the factor that is added
    stays: true,
  },
  {
    name: "delete-factor",
    send: (client, { user, legacy }) => removeFactor(client, user.sync, mainFactorIds(legacy)[1] ?? ""),
    calls: BY_FACTOR,
    stays: true,
  },
  {
    name: "delete-backup",
    send: async (client, { user }) => client.deleteBackup(await solved(client, "delete-backup", user.sync)),
    calls: BY_FACTOR,
    stays: false,
  },
  {
    name: "reset",
    send: async (client, { user }) => client.reset(await resetRequest(client, user)),
    calls: TAKE_OVER,
    stays: false,
  },
  {
    name: "backup-status",
    send: (client, { legacy }) => client.backupStatus({ backupId: legacy.id }),
    calls: TAKE_OVER,
    stays: true,
  },
];

for (const driver of DRIVERS)
  describe(`adoption by the operation that comes first, on ${driver.name}`, () => {
    let world: AdoptionWorld;
    let service: TestService;
    beforeAll(async () => {
      world = await adoptionWorld(driver);
      service = await world.start();
    });
    afterAll(() => world[Symbol.asyncDispose]());

    const callsOf = async (act: () => Promise<unknown>) => {
      const before = world.calls.length;
      await act();
      return world.calls.slice(before);
    };

    test.each(FIRSTS.map((first) => [first.name, first] as const))("%s", async (_name, first) => {
      const owner = newOwner();
      await world.legacy.add(owner.legacy);
      const { client } = service;
      const calls = await callsOf(async () => (await first.send(client, owner)).ok());
      expect(calls).toEqual([...first.calls]);
      const { stores } = service.services;
      expect((await stores.records.read(owner.legacy.id)) !== null).toBe(first.stays);
      const broken = await brokenInvariantsOfAll(stores);
      // in these tests a new manifest hash is not that of the content
      expect(broken.filter((line) => !line.startsWith("the manifest hash"))).toEqual([]);

      // whatever it was, nothing is asked for there any more
      const later = await callsOf(async () => {
        if (first.stays)
          (await client.verifyFactor(await solved(client, "verify-factor", owner.user.main))).ok();
      });
      expect(later).toEqual([]);
    });

    test("what is known here costs no call there, what is unknown one", async () => {
      const { client } = service;
      const own = newUser();
      const creating = await callsOf(() => userWithBackup(client, own));
      expect(creating.toSorted()).toEqual(["source.metadata", "source.rows"]); // its id, both factors
      const known = async () => {
        (await client.verifyFactor(await solved(client, "verify-factor", own.main))).ok();
        (await client.retrieve(await solved(client, "retrieve", own.main))).ok();
        (await client.retrieveMetadata(await solved(client, "retrieve-metadata", own.sync))).ok();
        (await client.backupStatus({ backupId: own.account.backupAccountId })).ok();
        (
          await client.sync(
            {
              ...(await solved(client, "sync", own.sync)),
              currentManifestHash: own.manifestHash,
              newManifestHash: newManifestHash(),
            },
            randomBytes(50),
          )
        ).ok();
        (await client.deleteBackup(await solved(client, "delete-backup", own.sync))).ok();
      };
      expect(await callsOf(known)).toEqual([]);

      const stranger = newUser();
      const cases = [
        [
          "backup_untraceable",
          async () => client.verifyFactor(await solved(client, "verify-factor", stranger.main)),
          ["source.rows"],
        ],
        [
          "backup_untraceable",
          async () => client.deleteBackup(await solved(client, "delete-backup", stranger.sync)),
          ["source.rows"],
        ],
        [
          "not_found",
          async () => client.backupStatus({ backupId: stranger.account.backupAccountId }),
          ["source.metadata"],
        ],
        [
          "not_found",
          async () => client.reset(await resetRequest(client, stranger)),
          ["source.metadata", "source.metadata"],
        ],
        [
          "signature_verification_error",
          async () => {
            const proof = await solved(client, "verify-factor", stranger.main);
            const { signature } = (await solved(client, "verify-factor", stranger.main)).authorization;
            return client.verifyFactor({ ...proof, authorization: { ...proof.authorization, signature } });
          },
          [],
        ],
      ] as const;
      for (const [code, send, expected] of cases) {
        const calls = await callsOf(async () => expect((await send()).code()).toBe(code));
        expect(calls).toEqual([...expected]);
      }
    });

    test("an id and factors that exist there are taken here", async () => {
      const { client } = service;
      const [taken, other] = [newOwner(), newOwner()];
      await world.legacy.add(taken.legacy, other.legacy);
      const fresh = newUser();
      const attempts = [
        [{ ...fresh, account: taken.user.account }, "backup_account_id_already_exists"],
        [{ ...fresh, main: other.user.main }, "factor_already_exists"],
        [{ ...fresh, sync: other.user.sync }, "factor_already_exists"],
      ] as const;
      for (const [user, code] of attempts) {
        const payload = await createPayload(client, user);
        expect((await client.create(payload, user.backup)).code()).toBe(code);
      }
      const added = await addFactorRequest(client, taken.user.main, createFactorKeypair());
      expect((await client.addFactor(added)).status).toBe(200);
      const blocked = await addFactorRequest(client, taken.user.main, other.user.main);
      expect((await client.addFactor(blocked)).code()).toBe("factor_already_exists");
      // and their owners have lost nothing
      for (const { user, legacy } of [taken, other]) {
        const recovered = (await client.retrieve(await solved(client, "retrieve", user.main))).ok();
        expect(recovered.metadata.id).toBe(legacy.id);
      }
    });
  });
