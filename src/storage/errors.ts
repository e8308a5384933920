/** What the stores throw. Their contract exports these errors. */
import { ServiceError } from "../errors.ts";
import { version } from "../runtime/version.ts";

/** The store did not respond, or the outcome is not known. The client may repeat the request. */
export class StorageUnavailable extends ServiceError {
  override name = "StorageUnavailable";

  constructor(message: string, options?: { cause?: unknown }) {
    super("service_unavailable", message, options);
  }
}

/** A newer version of the service has stored in a form that this one does not know. Nothing is read or changed. */
export class NewerFormat extends StorageUnavailable {
  /**
   * @param what has the version, such as `the database`.
   * @param madeBy the version of the service that made the format; `null` where the store does not say it.
   */
  constructor(
    what: string,
    format: { readonly version: number; readonly known: number },
    madeBy: string | null,
  ) {
    const by = madeBy === null ? "a newer version of the service" : `version ${madeBy} of the service`;
    super(
      `${what} has format ${format.version}, made by ${by}. ` +
        `This is version ${version}, which knows formats up to ${format.known}: ` +
        `start ${madeBy ?? "that version"} or a newer one, or restore a copy from before the update`,
    );
    this.name = "NewerFormat";
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
