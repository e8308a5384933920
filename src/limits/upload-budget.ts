import { ServiceError } from "../errors.ts";

/** Bounds the memory that uploads, and other bodies that are not small, take together. */
export interface UploadBudget {
  /** What is held now. */
  readonly heldBytes: number;
  /**
   * Lets an upload of `declaredBytes` in if there is room for it now. Room is taken only by what arrives: nobody can
   * take it by announcing something. A body that is read at once, at most 64 KiB, takes its room when it is there.
   *
   * @throws ServiceError `service_unavailable` when there is none.
   */
  admit(declaredBytes: number): Holding;
}

export interface Holding extends Disposable {
  /**
   * Says how much has arrived, and how much of that cannot be passed on yet.
   *
   * @throws ServiceError `service_unavailable` when there is no room for it.
   */
  arrived(bytes: number, waitingBytes: number): void;
}

/** What an upload holds that is passed on as it arrives: a few pieces between the socket and the store, as measured. */
const STREAMED_BYTES = 4 * 1024 * 1024;

export function createUploadBudget(maxBytes: number): UploadBudget {
  let held = 0;

  function requireRoom(bytes: number): void {
    if (held + bytes > maxBytes)
      throw new ServiceError("service_unavailable", "Too much is being uploaded at the moment");
  }

  return {
    get heldBytes() {
      return held;
    },
    admit(declaredBytes) {
      requireRoom(Math.min(declaredBytes, STREAMED_BYTES));
      let own = 0;
      return {
        arrived(bytes, waitingBytes) {
          const needed = Math.max(Math.min(bytes, STREAMED_BYTES), waitingBytes);
          if (needed <= own) return;
          requireRoom(needed - own);
          held += needed - own;
          own = needed;
        },
        [Symbol.dispose]() {
          held -= own;
          own = 0;
        },
      };
    },
  };
}
