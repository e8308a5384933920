/** What a device does with its backup: the client's methods, with the encryption before and after. */
import {
  type BackupClient,
  BackupNotFoundError,
  createBackupClient,
  type Event,
  type KeypairFactor,
  keypair,
  type Metadata,
  OutcomeUnknownError,
} from "../client/index.ts";
import { decryptText, encryptText, newDataKey } from "./encryption.ts";
import { recordedKeypair } from "./factors.ts";
import { PlaygroundError } from "./failure.ts";
import { MainFactors } from "./main-factors.ts";
import { isAccount, KEY_KINDS, type MainKind, mainKindOf, storedKey, summarisedKind } from "./main-kinds.ts";
import { type Recorded, recordingTransport } from "./record.ts";
import type { Device, Store } from "./store.ts";

/** Needed for an account: names the provider to a key service. */
const providerOf = (kind: MainKind) =>
  isAccount(kind) ? { turnkeyProviderId: `playground-${kind.toLowerCase()}` } : {};

export class Session {
  readonly #client: BackupClient;
  readonly #store: Store;
  readonly #main: MainFactors;
  readonly #record: (entry: Recorded) => void;

  constructor(store: Store, record: (entry: Recorded) => void) {
    const transport = recordingTransport(record);
    this.#store = store;
    this.#main = new MainFactors(store, transport, record);
    this.#record = record;
    this.#client = createBackupClient({
      url: new URL(".", location.href).href,
      app: { name: "playground", version: "1" },
      transport,
    });
  }

  /**
   * Resolves to the id of the backup. The keys of the user are kept before the request is sent, so that the backup can be
   * recovered although the page was closed before the response.
   *
   * @param name that of a passkey.
   */
  async create(kind: MainKind, name: string, text: string): Promise<string> {
    const account = await this.#main.newAccount(kind);
    const { backupAccountId } = account;
    try {
      const dataKey = await newDataKey();
      const { keys: syncKeys, ...sync } = await keypair();
      const { backupMetadata } = await this.#client.create({
        main: await this.#main.of(kind, backupAccountId, name),
        sync: this.#syncFactor(sync),
        account,
        content: await encryptText(dataKey, text),
        encryptionKey: this.#main.encryptedKey(kind, backupAccountId, dataKey),
        ...providerOf(kind),
      });
      const { manifestHash } = backupMetadata;
      await this.#store.keepDevice(backupAccountId, { syncKeys, dataKey, manifestHash, text });
      return backupAccountId;
    } catch (error) {
      if (!(error instanceof OutcomeUnknownError)) await this.#store.forget(backupAccountId);
      throw error;
    }
  }

  /**
   * Recovers the backup of a main factor; this device joins it with a sync factor, whose key is kept before. Resolves to
   * the id of the backup.
   */
  async recover(kind: MainKind, backupId: string | null): Promise<string> {
    const { main, content, metadata, syncFactorToken } = await this.#retrieve(kind, backupId);
    const dataKey = await this.#main.dataKey(kind, main, metadata);
    const { keys: syncKeys, ...sync } = await keypair();
    const { id, manifestHash } = metadata;
    const text = await decryptText(dataKey, content);
    const before = await this.#store.device(id);
    await this.#store.keepDevice(id, { syncKeys, dataKey, manifestHash, text });
    try {
      await this.#client.addSyncFactor(this.#syncFactor(sync), { syncFactorToken });
    } catch (error) {
      if (before !== null) await this.#store.keepDevice(id, before);
      throw error;
    }
    return id;
  }

  /** Fetches the current text, by a main factor: sync factors cannot. */
  async fetch(kind: MainKind, backupId: string): Promise<void> {
    const device = await this.#device(backupId);
    const { content, metadata } = await this.#retrieve(kind, backupId);
    const text = await decryptText(device.dataKey, content);
    await this.#store.keepDevice(backupId, { ...device, manifestHash: metadata.manifestHash, text });
  }

  /** Resolves to the text of a version. */
  async versionText(kind: MainKind, backupId: string, versionId: string): Promise<string> {
    const { dataKey } = await this.#device(backupId);
    const { content } = await this.#retrieve(kind, backupId, versionId);
    return decryptText(dataKey, content);
  }

  /** @param currentManifestHash that of the text that the user has changed: another tab may be the same device. */
  async sync(backupId: string, text: string, currentManifestHash: string): Promise<void> {
    const device = await this.#device(backupId);
    const content = await encryptText(device.dataKey, text);
    const update = { content, currentManifestHash };
    const { manifestHash } = await this.#client.sync(await this.#syncOf(device), update);
    await this.#store.keepDevice(backupId, { ...device, manifestHash, text });
  }

  /** Makes a version current, and fetches its text. */
  async restore(kind: MainKind, backupId: string, versionId: string): Promise<void> {
    const device = await this.#device(backupId);
    const restoration = { versionId, currentManifestHash: device.manifestHash };
    await this.#client.restoreVersion(await this.#syncOf(device), restoration);
    await this.fetch(kind, backupId);
  }

  async metadata(backupId: string): Promise<Metadata> {
    return this.#client.metadata(await this.#syncOf(await this.#device(backupId)), { backupId });
  }

  async events(backupId: string): Promise<readonly Event[]> {
    const events: Event[] = [];
    for await (const event of this.#client.events(await this.#syncOf(await this.#device(backupId))))
      events.push(event);
    return events;
  }

  /** The kinds of main factor of a backup, which anybody may ask for. */
  async mainKinds(backupId: string): Promise<readonly MainKind[]> {
    const { factors } = await this.#client.status(backupId);
    return factors.map(summarisedKind).filter((kind) => kind !== null);
  }

  /** @param by agrees to the new factor. */
  async addFactor(by: MainKind, kind: MainKind, backupId: string): Promise<void> {
    const { dataKey } = await this.#device(backupId);
    const isStored = storedKey(await this.metadata(backupId), kind) !== undefined;
    const encryptionKey = this.#main.encryptedKey(kind, backupId, dataKey);
    await this.#client.addFactor({
      existing: await this.#main.of(by, backupId),
      added: await this.#main.added(kind, backupId),
      ...(isStored ? {} : { encryptionKey }),
      ...providerOf(kind),
      sync: await this.#syncOf(await this.#device(backupId)),
    });
  }

  /** Removes a main factor, with the encryption key that it alone needed. Resolves to whether that deleted the backup. */
  async removeMain(backupId: string, factorId: string, kind: MainKind): Promise<boolean> {
    const metadata = await this.metadata(backupId);
    const users = metadata.factors.filter((factor) => KEY_KINDS[mainKindOf(factor)] === KEY_KINDS[kind]);
    const key = users.length === 1 ? storedKey(metadata, kind) : undefined;
    const { backupDeleted } = await this.#client.removeFactor(
      await this.#syncOf(await this.#device(backupId)),
      { factorId, scope: "MAIN", ...(key === undefined ? {} : { encryptionKey: key }) },
    );
    return backupDeleted;
  }

  async removeSync(backupId: string, factorId: string): Promise<void> {
    const sync = await this.#syncOf(await this.#device(backupId));
    await this.#client.removeFactor(sync, { factorId, scope: "SYNC" });
  }

  async deleteBackup(backupId: string): Promise<void> {
    await this.#client.deleteBackup(await this.#syncOf(await this.#device(backupId)));
  }

  async undelete(kind: MainKind, backupId: string): Promise<void> {
    await this.#client.undelete(await this.#main.of(kind, backupId), backupId);
  }

  /** Deletes all that the service has of a backup, and its keys here. Also where the service has nothing of it. */
  async reset(backupId: string): Promise<void> {
    try {
      await this.#client.reset(await this.#main.account(backupId));
    } catch (error) {
      if (!(error instanceof BackupNotFoundError)) throw error;
    }
    await this.#store.forget(backupId);
  }

  async #retrieve(kind: MainKind, backupId: string | null, versionId?: string) {
    const main = await this.#main.of(kind, backupId);
    const recovered = await this.#client.recover(main, versionId === undefined ? {} : { versionId });
    if (backupId !== null && recovered.metadata.id !== backupId)
      throw new PlaygroundError(`this passkey is that of another backup: ${recovered.metadata.id}`);
    return { main, ...recovered };
  }

  async #device(backupId: string): Promise<Device> {
    const device = await this.#store.device(backupId);
    if (device === null) throw new PlaygroundError("this tab has not joined the backup");
    return device;
  }

  async #syncOf({ syncKeys }: Device): Promise<KeypairFactor> {
    return this.#syncFactor(await keypair(syncKeys));
  }

  #syncFactor(factor: KeypairFactor): KeypairFactor {
    return recordedKeypair(factor, "The sync factor of this device", this.#record);
  }
}
