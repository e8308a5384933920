/**
 * The public key that a backup's content is encrypted for. The first one that a client sends is kept, and another one is
 * refused: a device with another key would make content that the others cannot read.
 */
import { ServiceError } from "../errors.ts";
import type { BackupMetadata } from "./model.ts";

/**
 * Checks that content for `key` may replace the current one; `null` where the client sent no key.
 *
 * @throws ServiceError `encryption_public_key_mismatch`, also when the backup has no key.
 */
export function requireEncryptionPublicKey(
  { encryptionPublicKey }: BackupMetadata,
  key: string | null,
): void {
  if (key !== null && key !== encryptionPublicKey)
    throw new ServiceError(
      "encryption_public_key_mismatch",
      "The content of the backup is encrypted for another public key",
    );
}

/**
 * The metadata with the key, where it has none yet and the client sent one.
 *
 * @throws ServiceError `encryption_public_key_mismatch`.
 */
export function withEncryptionPublicKey(metadata: BackupMetadata, key: string | null): BackupMetadata {
  if (key !== null && metadata.encryptionPublicKey === undefined)
    return { ...metadata, encryptionPublicKey: key };
  requireEncryptionPublicKey(metadata, key);
  return metadata;
}
