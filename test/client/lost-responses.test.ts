/** What the client does when a request or its response is lost on the way. */
import { describe, expect, test } from "bun:test";
import { accountKey } from "../../src/client/account-key.ts";
import {
  type BackupClient,
  createBackupClient,
  FactorAlreadyExistsError,
  type KeypairFactor,
  keypair,
  ManifestHashMismatchError,
  OutcomeUnknownError,
} from "../../src/client/index.ts";
import { paths } from "../../src/protocol/paths.ts";
import { DRIVERS } from "../drivers.ts";
import {
  type Fault,
  type FaultyTransport,
  faultyTransport,
  refusal,
  response,
} from "../support/faulty-transport.ts";
import { sharedService } from "../support/shared-service.ts";
import { randomBytes } from "../support/users.ts";

const ENCRYPTION_KEY = { kind: "ICLOUD", encryptedKey: "a2V5" } as const;
const NEW = Uint8Array.of(4, 5, 6);

interface Owner {
  readonly client: BackupClient;
  readonly faults: FaultyTransport;
  readonly account: ReturnType<typeof accountKey>;
  readonly main: KeypairFactor;
  readonly sync: KeypairFactor;
  readonly manifestHash: string;
}

/** An owner whose network fails as the test wants. */
async function newOwner(url: string): Promise<Omit<Owner, "manifestHash">> {
  const faults = faultyTransport();
  const retries = { pause: async () => {} };
  const client = createBackupClient({ url, transport: faults.transport, retries });
  return { client, faults, account: accountKey(), main: await keypair(), sync: await keypair() };
}

async function withBackup(url: string): Promise<Owner> {
  const owner = await newOwner(url);
  const { backupMetadata } = await creation(owner);
  return { ...owner, manifestHash: backupMetadata.manifestHash };
}

function creation({ client, account, main, sync }: Omit<Owner, "manifestHash">) {
  return client.create({ main, sync, account, content: randomBytes(100), encryptionKey: ENCRYPTION_KEY });
}

const FAULTS: readonly (readonly Fault[])[] = [
  ["never arrives"],
  ["response is lost"],
  ["response is lost", "never arrives"],
  ["response is lost", "response is lost"],
];

/** Each operation with a proof, and what shows that it took effect. */
const OPERATIONS: Readonly<
  Record<string, { readonly path: string; readonly play: (owner: Owner) => Promise<void> }>
> = {
  recover: {
    path: paths.retrieve,
    async play({ client, main, manifestHash }) {
      expect((await client.recover(main)).metadata.manifestHash).toBe(manifestHash);
    },
  },
  verify: {
    path: paths.verifyFactor,
    async play({ client, main, account }) {
      expect(await client.verify(main)).toEqual({ backupId: account.backupAccountId });
    },
  },
  metadata: {
    path: paths.retrieveMetadata,
    async play({ client, sync, account }) {
      expect((await client.metadata(sync)).id).toBe(account.backupAccountId);
    },
  },
  events: {
    path: paths.listEvents,
    async play({ client, sync }) {
      const kinds: string[] = [];
      for await (const { kind } of client.events(sync)) kinds.push(kind);
      expect(kinds).toEqual(["CREATED"]);
    },
  },
  sync: {
    path: paths.sync,
    async play({ client, sync, manifestHash, main }) {
      const update = {
        content: NEW,
        currentManifestHash: manifestHash,
        newManifestHash: `0x${"AB".repeat(32)}`,
      };
      expect((await client.sync(sync, update)).manifestHash).toBe("ab".repeat(32));
      expect((await client.recover(main)).content).toEqual(NEW);
    },
  },
  restoreVersion: {
    path: paths.restoreVersion,
    async play({ client, sync, manifestHash }) {
      const updated = await client.sync(sync, { content: NEW, currentManifestHash: manifestHash });
      const [version] = (await client.metadata(sync)).versions;
      const restored = await client.restoreVersion(sync, {
        versionId: version?.versionId ?? "",
        currentManifestHash: updated.manifestHash,
      });
      expect(restored.backupMetadata.manifestHash).toBe(manifestHash);
    },
  },
  addFactor: {
    path: paths.addFactor,
    async play({ client, main, sync }) {
      const added = await keypair();
      const { factorId, backupMetadata } = await client.addFactor({ existing: main, added, sync });
      const factor = backupMetadata.factors.find(({ id }) => id === factorId);
      expect(factor?.kind).toEqual({ kind: "EC_KEYPAIR", publicKey: added.publicKey });
    },
  },
  addSyncFactor: {
    path: paths.addSyncFactor,
    async play({ client, main, account }) {
      const { syncFactorToken } = await client.recover(main);
      const young = await keypair();
      const { backupId } = await client.addSyncFactor(young, { syncFactorToken });
      expect(backupId).toBe(account.backupAccountId);
      expect((await client.metadata(young)).syncFactors).toHaveLength(2);
    },
  },
  "removeFactor of another device": {
    path: paths.deleteFactor,
    async play({ client, main, sync }) {
      const { syncFactorToken } = await client.recover(main);
      const young = await keypair();
      await client.addSyncFactor(young, { syncFactorToken });
      const [old] = (await client.metadata(sync)).syncFactors;
      const removed = await client.removeFactor(young, { factorId: old?.id ?? "", scope: "SYNC" });
      expect(removed.backupDeleted).toBe(false);
      expect(removed.backupMetadata?.syncFactors).toHaveLength(1);
    },
  },
  "removeFactor of the last main factor": {
    path: paths.deleteFactor,
    async play({ client, sync }) {
      const [last] = (await client.metadata(sync)).factors;
      const removed = await client.removeFactor(sync, { factorId: last?.id ?? "", scope: "MAIN" });
      expect(removed).toEqual({ backupDeleted: true, backupMetadata: null });
    },
  },
  deleteBackup: {
    path: paths.deleteBackup,
    async play({ client, sync, account }) {
      await client.deleteBackup(sync);
      await expect(client.status(account.backupAccountId)).rejects.toMatchObject({ code: "not_found" });
    },
  },
  undelete: {
    path: paths.undelete,
    async play({ client, sync, main, account }) {
      await client.deleteBackup(sync);
      const { backupId } = await client.undelete(main, account.backupAccountId);
      expect(await client.verify(main)).toEqual({ backupId });
    },
  },
  reset: {
    path: paths.reset,
    async play({ client, account }) {
      await client.reset(account);
      await expect(client.status(account.backupAccountId)).rejects.toMatchObject({ code: "not_found" });
    },
  },
};

for (const driver of DRIVERS)
  describe(`a lost response (${driver.name})`, () => {
    const service = sharedService(driver);

    for (const [name, { path, play }] of Object.entries(OPERATIONS))
      for (const faults of FAULTS)
        test(`of ${name} costs nothing: ${faults.join(", ")}`, async () => {
          const owner = await withBackup(service().url);
          owner.faults.fail(path, ...faults);
          await play(owner);
          expect(owner.faults.left(path)).toBeLessThan(faults.length);
        });

    test.each([["never arrives"], ["response is lost"]] as const)(
      "of create costs nothing: %s",
      async (fault) => {
        const owner = await newOwner(service().url);
        owner.faults.fail(paths.create, fault);
        const { backupId, backupMetadata } = await creation(owner);
        expect([backupId, backupMetadata.id]).toEqual([owner.account.backupAccountId, backupId]);
        const uploads = owner.faults.sent.filter((path) => path === paths.create);
        expect(uploads).toHaveLength(fault === "never arrives" ? 2 : 1);
      },
    );

    test("of an update is not sent again where the content has arrived", async () => {
      const { client, faults, sync, manifestHash } = await withBackup(service().url);
      faults.fail(paths.sync, "response is lost");
      await client.sync(sync, { content: NEW, currentManifestHash: manifestHash });
      expect(faults.sent.filter((path) => path === paths.sync)).toHaveLength(1);
    });

    test("of an update is known although another device has updated since", async () => {
      const { client, faults, sync, manifestHash } = await withBackup(service().url);
      const other = createBackupClient({ url: service().url });
      const retries = {
        async pause() {
          const { manifestHash: current } = await other.metadata(sync);
          await other.sync(sync, { content: randomBytes(10), currentManifestHash: current });
        },
      };
      const interrupted = createBackupClient({ url: service().url, transport: faults.transport, retries });
      faults.fail(paths.sync, "response is lost");
      await interrupted.sync(sync, { content: NEW, currentManifestHash: manifestHash });
      expect((await client.metadata(sync)).versions).toHaveLength(2);
    });

    test("of an update that never arrived is not taken for an earlier one with the same hash", async () => {
      const { client, faults, main, sync, manifestHash } = await withBackup(service().url);
      const second = await client.sync(sync, { content: NEW, currentManifestHash: manifestHash });
      faults.fail(paths.sync, "never arrives");
      const back = { currentManifestHash: second.manifestHash, newManifestHash: manifestHash };
      await client.sync(sync, { content: Uint8Array.of(1), ...back });
      expect((await client.recover(main)).content).toEqual(Uint8Array.of(1));
    });

    test("of an update leaves the outcome to the app where the metadata cannot be read", async () => {
      const { client, faults, sync, manifestHash } = await withBackup(service().url);
      faults.fail(paths.sync, "response is lost");
      faults.fail(paths.retrieveMetadata, "never arrives", "never arrives", "never arrives");
      const update = client.sync(sync, { content: NEW, currentManifestHash: manifestHash });
      await expect(update).rejects.toBeInstanceOf(OutcomeUnknownError);
    });

    test("of an addition leaves the outcome to the app that has no sync factor", async () => {
      const { client, faults, main } = await withBackup(service().url);
      faults.fail(paths.addFactor, "response is lost");
      const addition = client.addFactor({ existing: main, added: await keypair() });
      await expect(addition).rejects.toBeInstanceOf(OutcomeUnknownError);
    });

    test("of a second create with the same factors is a refusal", async () => {
      const owner = await withBackup(service().url);
      owner.faults.fail(paths.create, "never arrives");
      await expect(creation(owner)).rejects.toMatchObject({ name: "BackupAlreadyExistsError" });
    });

    test("of an update that was refused is a refusal", async () => {
      const { client, faults, sync } = await withBackup(service().url);
      faults.fail(paths.sync, "response is lost");
      const update = client.sync(sync, { content: NEW, currentManifestHash: "0".repeat(64) });
      await expect(update).rejects.toBeInstanceOf(ManifestHashMismatchError);
    });

    test("of a create for an account that exists is a refusal", async () => {
      const owner = await withBackup(service().url);
      const rival = { ...(await newOwner(service().url)), main: owner.main };
      rival.faults.fail(paths.create, "response is lost");
      await expect(creation(rival)).rejects.toBeInstanceOf(FactorAlreadyExistsError);
    });

    test("of a change at every attempt leaves the outcome to the app", async () => {
      const { client, faults, sync } = await withBackup(service().url);
      faults.fail(paths.deleteBackup, "never arrives", refusal(503, "service_unavailable"), "never arrives");
      await expect(client.deleteBackup(sync)).rejects.toBeInstanceOf(OutcomeUnknownError);
    });

    test.each([
      ["fails", () => Promise.reject(new Error("no gateway"))],
      ["is refused", async () => "forged"],
    ])("of a change leaves the outcome to the app where the next attestation %s", async (_, attestation) => {
      const { client: owner, sync } = await withBackup(service().url);
      const [factor] = (await owner.metadata(sync)).syncFactors;
      const faults = faultyTransport();
      const attempts: string[] = [];
      const client = createBackupClient({
        url: service().url,
        transport: faults.transport,
        retries: { pause: async () => {} },
        async attest({ requestHash }) {
          return attempts.push(requestHash) === 1 ? "genuine" : attestation();
        },
      });
      faults.fail(paths.deleteFactor, "response is lost", refusal(400, "invalid_attestation_token"));
      const removal = client.removeFactor(sync, { factorId: factor?.id ?? "", scope: "SYNC" });
      await expect(removal).rejects.toBeInstanceOf(OutcomeUnknownError);
      expect(attempts).toEqual([attempts[0] ?? "", attempts[0] ?? ""]);
    });

    test("of a change leaves the outcome to the app where the challenge token has expired since", async () => {
      const { client, faults, sync } = await withBackup(service().url);
      faults.fail(paths.deleteBackup, "response is lost", refusal(400, "jwt_error"));
      await expect(client.deleteBackup(sync)).rejects.toBeInstanceOf(OutcomeUnknownError);
      await expect(client.metadata(sync)).rejects.toMatchObject({ name: "UnknownFactorError" });
    });

    test("of a change may be cut short: what came is not what the service sends", async () => {
      const { client, faults, sync } = await withBackup(service().url);
      faults.fail(paths.deleteBackup, response(200, '{"backup'), response(200, '{"backup'), "never arrives");
      await expect(client.deleteBackup(sync)).rejects.toBeInstanceOf(OutcomeUnknownError);
    });

    test("of a change that is aborted afterwards rejects with the reason", async () => {
      const { faults, sync } = await withBackup(service().url);
      const [controller, reason] = [new AbortController(), new Error("the user left")];
      const client = createBackupClient({
        url: service().url,
        transport: faults.transport,
        retries: { pause: async () => controller.abort(reason) },
      });
      faults.fail(paths.deleteBackup, "response is lost");
      await expect(client.deleteBackup(sync, { signal: controller.signal })).rejects.toBe(reason);
    });

    test("asks no user again: an account that has recovered says why there was no response", async () => {
      const { client, faults, main } = await withBackup(service().url);
      let signIns = 0;
      const signsIn = { kind: "OIDC_ACCOUNT", signIn: async () => session } as const;
      const session = {
        idToken: "",
        async authorize(message: Uint8Array) {
          signIns++;
          const signature = Buffer.from(await main.sign(message)).toString("base64");
          return { kind: "EC_KEYPAIR" as const, publicKey: main.publicKey, signature };
        },
      };
      faults.fail(paths.verifyFactor, "response is lost");
      await expect(client.verify(signsIn)).rejects.toMatchObject({ name: "ConnectionError" });
      expect(signIns).toBe(1);
    });
  });
