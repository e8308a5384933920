/** The life of a backup as an app has it. It runs wherever the client does, so it has nothing but the client. */
import type * as AccountKeys from "../../src/client/account-key.ts";
import type * as Client from "../../src/client/index.ts";

export interface Journey {
  readonly url: string;
  /** Whether the main factor is a passkey of the browser. Otherwise it is a keypair. */
  readonly withPasskey: boolean;
}

const FIRST = Uint8Array.from({ length: 300_000 }, (_, at) => at % 251);
const SECOND = Uint8Array.of(4, 5, 6);

/** Creates, recovers, joins, updates, deletes and brings back. Throws where something is not as it should be. */
export async function live(
  { createBackupClient, keypair, passkey, ManifestHashMismatchError }: typeof Client,
  { accountKey }: typeof AccountKeys,
  { url, withPasskey }: Journey,
) {
  const client = createBackupClient({ url, app: { name: "journey", version: "1" } });
  const main = withPasskey ? passkey({ name: "ada@example.com", label: "Ada's phone" }) : await keypair();
  const [oldPhone, newPhone, account] = [await keypair(), await keypair(), accountKey()];

  const uploaded: number[] = [];
  const secrets: (string | undefined)[] = [];
  const encryptedKey = (prf: Uint8Array | null) => {
    secrets.push(prf?.join());
    return { kind: prf === null ? ("ICLOUD" as const) : ("PRF" as const), encryptedKey: "a2V5" };
  };
  const created = await client.create(
    { main, sync: oldPhone, account, content: FIRST, encryptionKey: encryptedKey },
    { onUpload: ({ loadedBytes }) => uploaded.push(loadedBytes) },
  );

  const downloaded: number[] = [];
  const recovered = await client.recover(main, {
    onDownload: ({ loadedBytes }) => downloaded.push(loadedBytes),
  });
  if (main.kind === "PASSKEY") secrets.push(main.prf?.join());
  const { syncFactorToken } = recovered;
  const { backupId } = await client.addSyncFactor(newPhone, { syncFactorToken });
  const { manifestHash } = recovered.metadata;
  const updated = await client.sync(newPhone, { content: SECOND, currentManifestHash: manifestHash });
  const late = await client
    .sync(oldPhone, { content: FIRST, currentManifestHash: manifestHash })
    .catch((error: unknown) => error);

  const [version] = (await client.metadata(newPhone)).versions;
  const before = await client.recover(main, { versionId: version?.versionId ?? "" });
  await client.deleteBackup(newPhone);
  const deleted = await client.status(backupId).catch((error: Error) => error.name);
  await client.undelete(main, backupId);
  const again = await client.recover(main);
  const events: string[] = [];
  for await (const { kind } of client.events(oldPhone, { pageSize: 2 })) events.push(kind);
  const { factors } = await client.status(backupId);
  await client.reset(account);

  return {
    sameBackup: created.backupId === backupId && backupId === account.backupAccountId,
    sameContent:
      isSame(recovered.content, FIRST) && isSame(before.content, FIRST) && isSame(again.content, SECOND),
    sameHash: again.metadata.manifestHash === updated.manifestHash,
    secrets: new Set(secrets).size,
    lateIsRefused: late instanceof ManifestHashMismatchError,
    uploadedAll: (uploaded.at(-1) ?? 0) > FIRST.length && uploaded.length > 0,
    downloadedAll: (downloaded.at(-1) ?? 0) > FIRST.length * 1.3,
    deleted,
    events: events.toSorted(),
    factors,
  };
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

/** What {@link live} returns. */
export function expectedLife(kind: Client.FactorSummary["kind"]) {
  return {
    sameBackup: true,
    sameContent: true,
    sameHash: true,
    secrets: 1,
    lateIsRefused: true,
    uploadedAll: true,
    downloadedAll: true,
    deleted: "BackupNotFoundError",
    events: ["CREATED", "DELETED", "RECOVERED", "RECOVERED", "RECOVERED", "SYNC_FACTOR_ADDED", "UNDELETED"],
    factors: [{ kind, accountKind: null }],
  };
}
