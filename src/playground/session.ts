/** What a device does with its backup: the client's methods, with the encryption before and after. */
import {
  type BackupClient,
  createBackupClient,
  type EncryptionKey,
  type Event,
  type KeypairFactor,
  keypair,
  type MainFactor,
  type Metadata,
  type NewEncryptionKey,
} from "../client/index.ts";
import {
  decryptKey,
  decryptText,
  encryptKey,
  encryptText,
  newDataKey,
  newWrappingKey,
  wrappingKeyOf,
} from "./encryption.ts";
import { recordedAccountKey, recordedKeypair, recordedPasskey } from "./factors.ts";
import { type Recorded, recordingTransport } from "./record.ts";
import type { Device, MainKey, Store } from "./store.ts";

/** The kinds of main factor that the page can make. */
export type MainKind = "PASSKEY" | "EC_KEYPAIR";

/** The kind of encryption key that each of them needs. */
const KEY_KINDS = { PASSKEY: "PRF", EC_KEYPAIR: "ICLOUD" } as const;

/** Something that the page cannot do, in words for the user. */
export class PlaygroundError extends Error {
  override name = "PlaygroundError";
}

export class Session {
  readonly #client: BackupClient;
  readonly #store: Store;
  readonly #record: (entry: Recorded) => void;

  constructor(store: Store, record: (entry: Recorded) => void) {
    this.#store = store;
    this.#record = record;
    this.#client = createBackupClient({
      url: location.origin,
      app: { name: "playground", version: "1" },
      transport: recordingTransport(record),
    });
  }

  /** Resolves to the id of the backup. */
  async create(kind: MainKind, name: string, text: string): Promise<string> {
    const account = recordedAccountKey(this.#record);
    const { backupAccountId } = account;
    const dataKey = await newDataKey();
    const main = await this.#newMain(kind, name);
    const { keys: syncKeys, ...sync } = await keypair();
    const { backupMetadata } = await this.#client.create({
      main: main.factor,
      sync: this.#syncFactor(sync),
      account,
      content: await encryptText(dataKey, text),
      encryptionKey: keyFor(kind, main.key, dataKey),
    });
    if (main.key !== null) await this.#store.keepMainKey(backupAccountId, main.key);
    const { manifestHash } = backupMetadata;
    await this.#store.keepDevice(backupAccountId, { syncKeys, dataKey, manifestHash, text });
    return backupAccountId;
  }

  /** Recovers the backup of a main factor; this device joins it with a sync factor. Resolves to its id. */
  async recover(kind: MainKind, backupId: string | null): Promise<string> {
    const { main, content, metadata, syncFactorToken } = await this.#retrieve(kind, backupId);
    const dataKey = await this.#dataKey(main, metadata);
    const { keys: syncKeys, ...sync } = await keypair();
    await this.#client.addSyncFactor(this.#syncFactor(sync), { syncFactorToken });
    const { id, manifestHash } = metadata;
    const text = await decryptText(dataKey, content);
    await this.#store.keepDevice(id, { syncKeys, dataKey, manifestHash, text });
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

  async sync(backupId: string, text: string): Promise<void> {
    const device = await this.#device(backupId);
    const content = await encryptText(device.dataKey, text);
    const update = { content, currentManifestHash: device.manifestHash };
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
  async mainKinds(backupId: string): Promise<readonly string[]> {
    const { factors } = await this.#client.status(backupId);
    return factors.map(({ kind }) => kind);
  }

  /** @param by agrees to the new factor. */
  async addFactor(by: MainKind, kind: MainKind, backupId: string): Promise<void> {
    const device = await this.#device(backupId);
    const existing = await this.#main(by, backupId);
    const added = await this.#newMain(kind, `Playground ${backupId.slice(-6)}`);
    const encryptionKey = keyFor(kind, added.key, device.dataKey);
    const sync = await this.#syncOf(device);
    await this.#client.addFactor({ existing, added: added.factor, encryptionKey, sync });
    if (added.key !== null) await this.#store.keepMainKey(backupId, added.key);
  }

  /** Removes a main factor, with the encryption key that it alone needed. Resolves to whether that deleted the backup. */
  async removeMain(backupId: string, factorId: string, kind: string): Promise<boolean> {
    const metadata = await this.metadata(backupId);
    const needed = metadata.factors.filter((factor) => factor.kind.kind === kind).length === 1;
    const key = needed && isMainKind(kind) ? storedKey(metadata, kind) : undefined;
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
    await this.#client.undelete(await this.#main(kind, backupId), backupId);
  }

  async #retrieve(kind: MainKind, backupId: string | null, versionId?: string) {
    const main = await this.#main(kind, backupId);
    const recovered = await this.#client.recover(main, versionId === undefined ? {} : { versionId });
    if (backupId !== null && recovered.metadata.id !== backupId)
      throw new PlaygroundError(`this passkey is that of another backup: ${recovered.metadata.id}`);
    return { main, ...recovered };
  }

  /** The data key, decrypted with what the main factor has. */
  async #dataKey(main: MainFactor, metadata: Metadata): Promise<CryptoKey> {
    const wrappingKey =
      main.kind === "PASSKEY" && main.prf !== null
        ? await wrappingKeyOf(main.prf)
        : (await this.#store.mainKey(metadata.id))?.wrappingKey;
    const stored = isMainKind(main.kind) ? storedKey(metadata, main.kind) : undefined;
    if (wrappingKey === undefined || stored === undefined)
      throw new PlaygroundError("the backup has no encrypted key for this factor");
    return decryptKey(wrappingKey, stored.encryptedKey);
  }

  async #newMain(kind: MainKind, name: string): Promise<{ factor: MainFactor; key: MainKey | null }> {
    if (kind === "PASSKEY") return { factor: recordedPasskey(name, this.#record), key: null };
    const { keys, ...factor } = await keypair();
    return { factor: this.#mainKeypair(factor), key: { keys, wrappingKey: await newWrappingKey() } };
  }

  /** A main factor that exists. */
  async #main(kind: MainKind, backupId: string | null): Promise<MainFactor> {
    if (kind === "PASSKEY") return recordedPasskey("Playground", this.#record);
    const kept = backupId === null ? null : await this.#store.mainKey(backupId);
    if (kept === null) throw new PlaygroundError("this browser has no main key of this backup");
    return this.#mainKeypair(await keypair(kept.keys));
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

  #mainKeypair(factor: KeypairFactor): KeypairFactor {
    return recordedKeypair(factor, "The main key", this.#record);
  }
}

function isMainKind(kind: string): kind is MainKind {
  return kind in KEY_KINDS;
}

function storedKey({ keys }: Metadata, kind: MainKind): EncryptionKey | undefined {
  return keys.find((key) => key.kind === KEY_KINDS[kind]);
}

/** The data key, encrypted with the secret of a passkey that is being made, or with the key beside a main key. */
function keyFor(kind: MainKind, mainKey: MainKey | null, dataKey: CryptoKey): NewEncryptionKey {
  return async (prf) => {
    const wrappingKey = mainKey?.wrappingKey ?? (prf === null ? null : await wrappingKeyOf(prf));
    if (wrappingKey === null) throw new PlaygroundError("the passkey returned no secret");
    return { kind: KEY_KINDS[kind], encryptedKey: await encryptKey(wrappingKey, dataKey) };
  };
}
