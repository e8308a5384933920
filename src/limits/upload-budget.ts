import { ServiceError } from "../errors.ts";
import { READ_AHEAD_BYTES, SMALL_BYTES, STREAMED_BYTES } from "../runtime/sizes.ts";
import type { Arrival } from "./arrival.ts";

/** Bounds the memory that the bodies of requests take together, and what one client may take of it. */
export interface UploadBudget {
  /** What is held now. */
  readonly heldBytes: number;
  /**
   * Lets a body in if there is room for it now. Room is taken only by bytes that arrive, never by a declared length. But
   * bytes that have arrived may be unread in the runtime's buffers: these are counted against later bodies. Where there
   * is no room, the bodies that have stood still longest are ended to make it: first those of the same address, when
   * that has no room left, then those of any.
   *
   * @param declaredBytes 0 where nothing is declared.
   * @throws ServiceError `service_unavailable` when there is none.
   */
  admit(body: AdmittedBody, declaredBytes: number): MemoryReservation;
}

export interface AdmittedBody {
  /** The client's. */
  readonly address: string;
  readonly arrival: Pick<Arrival, "stillMs">;
  /** Whether bytes of it may have arrived that nobody has read yet. */
  readonly mayBeUnread: boolean;
  /** Answers the request with `error` and reads its body no further. Called at most once. */
  end(error: ServiceError): void;
}

/** Disposing of it gives the memory back; what arrives then is not counted any more. */
export interface MemoryReservation extends Disposable {
  /**
   * Says how much has arrived, and how much of that cannot be passed on yet.
   *
   * @throws ServiceError `service_unavailable` when there is no room for it.
   */
  arrived(bytes: number, waitingBytes: number): void;
}

/** The share of the whole that one address may hold: a quarter, but not less than one upload of any kind takes. */
const SHARES = 4;
const MIN_SHARE_BYTES = 17 * 1024 * 1024;
/** Small bodies have an eighth more, so that uploads cannot keep out all other requests. */
const SMALL_EXTRA = 1 / 8;
/** A body that stands still for less is not ended. */
const MIN_STILL_MS = 2_000;

interface Held {
  readonly body: AdmittedBody;
  readonly readAheadBytes: number;
  bytes: number;
  /** Whether what arrives is not counted any more. */
  isOver: boolean;
}

export function createUploadBudget(maxBytes: number): UploadBudget {
  const shareBytes = Math.max(maxBytes / SHARES, Math.min(maxBytes, MIN_SHARE_BYTES));
  const admitted = new Set<Held>();
  const holders = new Set<Held>();
  const heldByAddress = new Map<string, number>();
  let held = 0;

  const heldBy = (address: string) => heldByAddress.get(address) ?? 0;

  function giveBack(holder: Held): void {
    holder.isOver = true;
    admitted.delete(holder);
    take(holder, -holder.bytes);
  }

  function take(holder: Held, bytes: number): void {
    const { address } = holder.body;
    held += bytes;
    holder.bytes += bytes;
    const left = heldBy(address) + bytes;
    if (left > 0) heldByAddress.set(address, left);
    else heldByAddress.delete(address);
    if (holder.bytes > 0) holders.add(holder);
    else holders.delete(holder);
  }

  function requireRoom(holder: Held, bytes: number, unread = { ofAddress: 0, ofAll: 0 }): void {
    const { address } = holder.body;
    const extra = holder.bytes + bytes <= SMALL_BYTES ? 1 + SMALL_EXTRA : 1;
    const isFree =
      makeRoom(heldBy(address) + unread.ofAddress + bytes - shareBytes * extra, holder, address) &&
      makeRoom(held + unread.ofAll + bytes - maxBytes * extra, holder, null);
    if (!isFree) throw new ServiceError("service_unavailable", "Too much is being uploaded at the moment");
  }

  /** What may have arrived of the bodies that are let in already, beyond what they hold. */
  function unreadBeside({ address }: AdmittedBody): { ofAddress: number; ofAll: number } {
    const unread = { ofAddress: 0, ofAll: 0 };
    for (const { body, bytes, readAheadBytes } of admitted) {
      if (bytes >= readAheadBytes || !body.mayBeUnread) continue;
      unread.ofAll += readAheadBytes - bytes;
      if (body.address === address) unread.ofAddress += readAheadBytes - bytes;
    }
    return unread;
  }

  /**
   * Ends bodies that stand still, of one address or of any, to get back `bytes`: those that have longest. Ends none
   * where that would not be enough.
   */
  function makeRoom(bytes: number, asking: Held, address: string | null): boolean {
    if (bytes <= 0) return true;
    let missing = bytes;
    const ended: Held[] = [];
    for (const holder of standingStill(asking, address)) {
      ended.push(holder);
      missing -= holder.bytes;
      if (missing <= 0) break;
    }
    if (missing > 0) return false;
    for (const holder of ended) {
      giveBack(holder);
      holder.body.end(
        new ServiceError("service_unavailable", "The body did not arrive while others needed its memory"),
      );
    }
    return true;
  }

  function standingStill(asking: Held, address: string | null): Held[] {
    const found: { readonly holder: Held; readonly stillMs: number }[] = [];
    for (const holder of holders) {
      if (holder === asking || (address !== null && holder.body.address !== address)) continue;
      const { stillMs } = holder.body.arrival;
      if (stillMs >= MIN_STILL_MS) found.push({ holder, stillMs });
    }
    return found.sort((a, b) => b.stillMs - a.stillMs).map(({ holder }) => holder);
  }

  return {
    get heldBytes() {
      return held;
    },
    admit(body, declaredBytes) {
      const readAheadBytes = Math.min(declaredBytes || READ_AHEAD_BYTES, READ_AHEAD_BYTES);
      const holder: Held = { body, readAheadBytes, bytes: 0, isOver: false };
      requireRoom(holder, Math.min(declaredBytes, STREAMED_BYTES), unreadBeside(body));
      admitted.add(holder);
      return {
        arrived(bytes, waitingBytes) {
          const needed = Math.max(Math.min(bytes, STREAMED_BYTES), waitingBytes) - holder.bytes;
          if (holder.isOver || needed <= 0) return;
          requireRoom(holder, needed);
          take(holder, needed);
        },
        [Symbol.dispose]: () => giveBack(holder),
      };
    },
  };
}
