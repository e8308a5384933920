/**
 * What the browser keeps in IndexedDB. A tab is a device with a sync factor of its own; the other keys belong to the user,
 * so every tab has them.
 */
import type { WebCryptoKeys } from "../client/index.ts";
import type { MainKind } from "./main-kinds.ts";

/** What a device keeps of a backup. */
export interface Device {
  readonly syncKeys: WebCryptoKeys;
  readonly dataKey: CryptoKey;
  /** The manifest hash of the text that this device has. */
  readonly manifestHash: string;
  readonly text: string;
}

/** What the user keeps of a backup in this browser. */
export interface UserKeys {
  readonly createdAtMs: number;
  /** That of the account key; `null` where another browser created the backup. */
  readonly accountSecret: Uint8Array | null;
  /** Those of the main factor that is a key. */
  readonly mainKeys: WebCryptoKeys;
  /** Encrypts the data key for main factors that have no secret: for the key, and for accounts in place of a key service. */
  readonly wrappingKey: CryptoKey;
  /** The main factors that were made with these keys, or are about to be added. */
  readonly kinds: readonly MainKind[];
}

export interface Store {
  device(backupId: string): Promise<Device | null>;
  keepDevice(backupId: string, device: Device): Promise<void>;
  userKeys(backupId: string): Promise<UserKeys | null>;
  /** Changes the keys of the user, also where another tab does so at the same time. Resolves to what is kept. */
  updateUserKeys(backupId: string, change: (kept: UserKeys | null) => UserKeys): Promise<UserKeys>;
  /** Forgets the keys of the user. What tabs keep of the backup is of no use then. */
  forget(backupId: string): Promise<void>;
  /** The backups whose user has keys here, newest first. */
  backups(): Promise<readonly KnownBackup[]>;
}

export interface KnownBackup {
  readonly backupId: string;
  readonly createdAtMs: number;
}

const VERSION = 2;
const DEVICES = "devices";
const USERS = "users";

export async function openStore(): Promise<Store> {
  const database = await openDatabase();
  const inTab = (backupId: string) => `${tabId()} ${backupId}`;
  const reading = (table: string) => database.transaction(table).objectStore(table);
  const writing = (table: string) => database.transaction(table, "readwrite").objectStore(table);
  return {
    device: (backupId) => read<Device>(reading(DEVICES), inTab(backupId)),
    async keepDevice(backupId, device) {
      await done(writing(DEVICES).put(device, inTab(backupId)));
    },
    userKeys: (backupId) => read<UserKeys>(reading(USERS), backupId),
    async updateUserKeys(backupId, change) {
      const table = writing(USERS);
      const changed = change(await read<UserKeys>(table, backupId));
      await done(table.put(changed, backupId));
      return changed;
    },
    async forget(backupId) {
      await done(writing(USERS).delete(backupId));
      await done(writing(DEVICES).delete(inTab(backupId)));
    },
    async backups() {
      const table = reading(USERS);
      const kept: Promise<UserKeys[]> = done(table.getAll());
      const [users, ids] = await Promise.all([kept, done(table.getAllKeys())]);
      const known = users.map(({ createdAtMs }, at) => ({ backupId: String(ids[at]), createdAtMs }));
      return known.toSorted((one, other) => other.createdAtMs - one.createdAtMs);
    },
  };
}

/** It stays when the tab is reloaded. */
function tabId(): string {
  const id = sessionStorage.getItem("device") ?? crypto.randomUUID();
  sessionStorage.setItem("device", id);
  return id;
}

async function openDatabase(): Promise<IDBDatabase> {
  const request = indexedDB.open("backup-service-playground", VERSION);
  request.onupgradeneeded = () => {
    for (const table of request.result.objectStoreNames) request.result.deleteObjectStore(table);
    for (const table of [DEVICES, USERS]) request.result.createObjectStore(table);
  };
  const blocked = new Promise<never>((_resolve, reject) => {
    request.onblocked = () =>
      reject(new Error("close the other tabs of the playground, then reload this one"));
  });
  const database = await Promise.race([done(request), blocked]);
  database.onversionchange = () => database.close();
  return database;
}

async function read<T>(table: IDBObjectStore, key: string): Promise<T | null> {
  const found: T | undefined = await done(table.get(key));
  return found ?? null;
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
