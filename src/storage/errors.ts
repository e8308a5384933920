/** What the stores throw. Their contract exports these errors. */
import { ServiceError } from "../errors.ts";

/** The store did not respond, or the outcome is not known. The client may repeat the request. */
export class StorageUnavailable extends ServiceError {
  override name = "StorageUnavailable";

  constructor(message: string, options?: { cause?: unknown }) {
    super("service_unavailable", message, options);
  }
}

/** Nothing was changed, and this call will not change anything later. The same change may succeed then. */
export class NotCommitted extends StorageUnavailable {
  override name = "NotCommitted";
}

/** Nothing was changed, and the same change would fail again: the store does not accept what is in it. */
export class ChangeRefused extends Error {
  override name = "ChangeRefused";
}

/** Whether a commit that threw this certainly changed nothing. Otherwise its blob may be in use. */
export function isUnchanged(error: unknown): boolean {
  return error instanceof NotCommitted || error instanceof ChangeRefused;
}

/** A stored ciphertext has another size or hash than when it was stored. */
export class BlobDamaged extends Error {
  override name = "BlobDamaged";

  constructor(key: string, found: string) {
    super(`blob ${key} is damaged: ${found}`);
  }
}
