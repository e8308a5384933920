/** A look past the API at what is stored. */
import type { Services } from "../../src/services.ts";
import type { FactorScope, RecordStore, StoredRecord } from "../../src/storage/contract.ts";
import { factorKeys } from "../../src/storage/contract.ts";

/** The names of all ciphertexts, once background work has ended. */
export async function blobKeys({
  background,
  blobs,
}: Pick<Services, "background" | "blobs">): Promise<string[]> {
  await background.settled();
  return (await Array.fromAsync(blobs.list())).map(({ key }) => key);
}

/** The record of a backup, which must be there. */
export async function storedRecord(
  { records }: Pick<Services, "records">,
  backupId: string,
): Promise<StoredRecord> {
  const stored = await records.read(backupId);
  if (stored === null) throw new Error("the backup is not stored");
  return stored;
}

/** Stores one of the records again as it is, as a change that came just now; all others keep their age. */
export async function touchAnyRecord(records: RecordStore): Promise<void> {
  for await (const { backupId } of records.list()) {
    const stored = await records.read(backupId);
    if (stored === null) continue;
    const { revision, blob, metadata } = stored;
    const outcome = await records.commit({ backupId, expect: { revision }, next: { blob, metadata } });
    if (outcome !== "committed") throw new Error(`${backupId} changed meanwhile`);
    return;
  }
}

/** Which backup the index row of a keypair names. */
export async function indexed(
  { records }: Pick<Services, "records">,
  scope: FactorScope,
  { publicKey }: { readonly publicKey: string },
): Promise<string | null> {
  return (await records.locate({ scope, key: factorKeys.ecKeypair(publicKey) }, [])).backupId;
}

/** A passkey as it is stored. */
export function storedPasskey(credentialId: string) {
  return {
    kind: "PASSKEY",
    credentialId,
    registration: { id: credentialId, more: [1] },
    label: "",
    credential: {
      publicKey: "cHVibGljIGtleQ",
      algorithm: "ES256",
      counter: 0,
      transports: [],
      aaguid: "00000000-0000-0000-0000-000000000000",
      deviceType: "multiDevice",
      backedUp: true,
      userVerified: true,
    },
  } as const;
}

/** A Google or Apple account as it is stored. */
export function storedAccount(kind: "GOOGLE" | "APPLE", sub: string) {
  return {
    kind: "OIDC_ACCOUNT",
    account: { kind, issuer: "https://issuer", sub, maskedEmail: "ab***@c.d" },
    turnkeyProviderId: "provider",
  } as const;
}
