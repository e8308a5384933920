/** The main factors of a backup: how they are made, and how each decrypts the data key. */
import { accountKey, type SecretAccountKey } from "../client/account-key.ts";
import {
  type EncryptionKey,
  keypair,
  type MainFactor,
  type Metadata,
  type NewEncryptionKey,
  type Transport,
} from "../client/index.ts";
import { decryptKey, encryptKey, newWrappingKey, wrappingKeyOf } from "./encryption.ts";
import { type RecordSignature, recordedAccountKey, recordedKeypair, recordedPasskey } from "./factors.ts";
import { PlaygroundError } from "./failure.ts";
import { KEY_KINDS, type MainKind, storedKey } from "./main-kinds.ts";
import type { Store, UserKeys } from "./store.ts";
import { testAccount } from "./test-account.ts";

/** What names the key of accounts to a key service, of which there is none here. */
const KEY_SERVICE = {
  turnkeyAccountId: "playground",
  turnkeyUserId: "playground",
  turnkeyPrivateKeyId: "playground",
};

export class MainFactors {
  readonly #store: Store;
  readonly #transport: Transport;
  readonly #record: RecordSignature;

  constructor(store: Store, transport: Transport, record: RecordSignature) {
    this.#store = store;
    this.#transport = transport;
    this.#record = record;
  }

  /** A new account key, kept with all keys that the user of a new backup may need. */
  async newAccount(kind: MainKind): Promise<SecretAccountKey> {
    const account = accountKey();
    const keys = await newUserKeys(account.secret, [kind]);
    await this.#store.updateUserKeys(account.backupAccountId, () => keys);
    return recordedAccountKey(account, this.#record);
  }

  /** The account key of a backup, with which it is reset. */
  async account(backupId: string): Promise<SecretAccountKey> {
    const { accountSecret = null } = (await this.#store.userKeys(backupId)) ?? {};
    if (accountSecret === null) throw new PlaygroundError("this browser has no account key of this backup");
    return recordedAccountKey(accountKey(accountSecret), this.#record);
  }

  /** A main factor that is about to be added. Its keys are kept before the service knows it, so that none is lost. */
  async added(kind: MainKind, backupId: string): Promise<MainFactor> {
    if (kind !== "PASSKEY") {
      const fresh = await newUserKeys(null, []);
      await this.#store.updateUserKeys(backupId, (kept) => withKind(kept ?? fresh, kind));
    }
    return this.of(kind, backupId, `Playground ${backupId.slice(-6)}`);
  }

  /**
   * A main factor of a backup.
   *
   * @param backupId `null` where a passkey is to find the backup.
   * @param name that of a passkey that is made.
   */
  async of(kind: MainKind, backupId: string | null, name = "Playground"): Promise<MainFactor> {
    if (kind === "PASSKEY") return recordedPasskey(name, this.#record);
    const keys = backupId === null ? null : await this.#store.userKeys(backupId);
    if (backupId === null || keys === null)
      throw new PlaygroundError("this browser has no main key of this backup");
    if (kind === "EC_KEYPAIR")
      return recordedKeypair(await keypair(keys.mainKeys), "The main key", this.#record);
    return testAccount(kind, emailOf(backupId), this.#transport, this.#record);
  }

  /** The data key, decrypted with what the main factor has. */
  async dataKey(kind: MainKind, main: MainFactor, metadata: Metadata): Promise<CryptoKey> {
    const stored = storedKey(metadata, kind);
    const wrappingKey =
      main.kind === "PASSKEY"
        ? main.prf && (await wrappingKeyOf(main.prf))
        : (await this.#store.userKeys(metadata.id))?.wrappingKey;
    if (!wrappingKey || stored === undefined)
      throw new PlaygroundError("the backup has no encrypted key for this factor");
    return decryptKey(wrappingKey, stored.encryptedKey);
  }

  /** The data key, encrypted for a main factor that is about to be made. */
  encryptedKey(kind: MainKind, backupId: string, dataKey: CryptoKey): NewEncryptionKey {
    return async (prf): Promise<EncryptionKey> => {
      const wrappingKey =
        prf === null ? (await this.#store.userKeys(backupId))?.wrappingKey : await wrappingKeyOf(prf);
      if (wrappingKey === undefined) throw new PlaygroundError("the passkey returned no secret");
      const encryptedKey = await encryptKey(wrappingKey, dataKey);
      const keyKind = KEY_KINDS[kind];
      return keyKind === "TURNKEY"
        ? { kind: keyKind, encryptedKey, ...KEY_SERVICE }
        : { kind: keyKind, encryptedKey };
    };
  }
}

/** An account is a factor of one backup, so each backup has an address of its own. */
function emailOf(backupId: string): string {
  return `ada.${backupId.slice(-8)}@example.com`;
}

async function newUserKeys(accountSecret: Uint8Array | null, kinds: readonly MainKind[]): Promise<UserKeys> {
  const [{ keys: mainKeys }, wrappingKey] = await Promise.all([keypair(), newWrappingKey()]);
  return { createdAtMs: Date.now(), accountSecret, mainKeys, wrappingKey, kinds };
}

function withKind(keys: UserKeys, kind: MainKind): UserKeys {
  return { ...keys, kinds: [...new Set([...keys.kinds, kind])] };
}
