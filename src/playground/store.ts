/**
 * What the browser keeps in IndexedDB. A tab is a device with a sync factor of its own; the main key and the key that
 * encrypts with it belong to the user, so every tab has them.
 */
import type { WebCryptoKeys } from "../client/index.ts";

/** What a device keeps of a backup. */
export interface Device {
  readonly syncKeys: WebCryptoKeys;
  readonly dataKey: CryptoKey;
  /** The manifest hash of the text that this device has. */
  readonly manifestHash: string;
  readonly text: string;
}

/** The main key of a backup. */
export interface MainKey {
  readonly keys: WebCryptoKeys;
  /** Encrypts the data key. */
  readonly wrappingKey: CryptoKey;
}

export interface Store {
  device(backupId: string): Promise<Device | null>;
  keepDevice(backupId: string, device: Device): Promise<void>;
  mainKey(backupId: string): Promise<MainKey | null>;
  keepMainKey(backupId: string, key: MainKey): Promise<void>;
}

const DEVICES = "devices";
const MAIN_KEYS = "main-keys";

export async function openStore(): Promise<Store> {
  const database = await openDatabase();
  const inTab = (backupId: string) => `${tabId()} ${backupId}`;
  const read = async <T>(table: string, key: string): Promise<T | null> => {
    const found: T | undefined = await done(database.transaction(table).objectStore(table).get(key));
    return found ?? null;
  };
  const write = async (table: string, key: string, value: unknown) => {
    await done(database.transaction(table, "readwrite").objectStore(table).put(value, key));
  };
  return {
    device: (backupId) => read<Device>(DEVICES, inTab(backupId)),
    keepDevice: (backupId, device) => write(DEVICES, inTab(backupId), device),
    mainKey: (backupId) => read<MainKey>(MAIN_KEYS, backupId),
    keepMainKey: (backupId, key) => write(MAIN_KEYS, backupId, key),
  };
}

/** It stays when the tab is reloaded. */
function tabId(): string {
  const id = sessionStorage.getItem("device") ?? crypto.randomUUID();
  sessionStorage.setItem("device", id);
  return id;
}

function openDatabase(): Promise<IDBDatabase> {
  const request = indexedDB.open("backup-service-playground", 1);
  request.onupgradeneeded = () => {
    for (const table of [DEVICES, MAIN_KEYS]) request.result.createObjectStore(table);
  };
  return done(request);
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
