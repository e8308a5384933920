import { ServiceError } from "../errors.ts";

/** Bounds the memory that uploads take together. */
export interface UploadBudget {
  /** What is set aside now. */
  readonly reservedBytes: number;
  /**
   * Sets memory aside for an upload of `declaredBytes`.
   *
   * @throws ServiceError `service_unavailable` when there is not enough.
   */
  reserve(declaredBytes: number): Reservation;
}

export interface Reservation extends Disposable {
  /**
   * Says that the upload holds so many bytes now, because it cannot be passed on yet.
   *
   * @throws ServiceError `service_unavailable` when there is not enough.
   */
  hold(bytes: number): void;
}

export interface UploadBudgetOptions {
  readonly maxBytes: number;
  /** Whether the blob store holds a whole upload before it is sent on. */
  readonly isHeldWhole: boolean;
}

/** What an upload holds that is passed on as it arrives: a few pieces between the socket and the store. */
const STREAMED_BYTES = 2 * 1024 * 1024;

export function createUploadBudget({ maxBytes, isHeldWhole }: UploadBudgetOptions): UploadBudget {
  let reserved = 0;

  function take(bytes: number): void {
    if (reserved + bytes > maxBytes)
      throw new ServiceError("service_unavailable", "Too much is being uploaded at the moment");
    reserved += bytes;
  }

  return {
    get reservedBytes() {
      return reserved;
    },
    reserve(declaredBytes) {
      let own = isHeldWhole ? declaredBytes : Math.min(declaredBytes, STREAMED_BYTES);
      take(own);
      return {
        hold(bytes) {
          if (bytes <= own) return;
          take(bytes - own);
          own = bytes;
        },
        [Symbol.dispose]() {
          reserved -= own;
          own = 0;
        },
      };
    },
  };
}
