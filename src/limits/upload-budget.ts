import { NoRoom, type ServiceError } from "../errors.ts";
import { READ_AHEAD_BYTES, SMALL_BYTES, STREAMED_BYTES } from "../runtime/sizes.ts";
import type { Arrival } from "./arrival.ts";

/** Bounds the memory that the bodies of requests take together, and what one client may take of it. */
export interface UploadBudget {
  readonly heldBytes: number;
  /**
   * Admits a body if there is room for it now. Only bytes that arrive take room, never a declared length, but bytes that
   * may be unread in the runtime's buffers count against later bodies. If there is no room, the bodies that have stalled
   * longest are ended: of the same address, if its share is full, and of any, if the whole is full.
   *
   * @param declaredBytes 0 if not declared.
   * @throws NoRoom when there is no room.
   */
  admit(body: AdmittedBody, declaredBytes: number): MemoryReservation;
}

export interface AdmittedBody {
  readonly address: string;
  readonly arrival: Pick<Arrival, "stalledMs">;
  /** Whether bytes of it may have arrived that are not read yet. */
  readonly mayBeUnread: boolean;
  /** Responds to the request with `error` and reads the body no further. Called at most once. */
  end(error: ServiceError): void;
}

/** Disposing of it releases the memory; later arrivals are not counted. */
export interface MemoryReservation extends Disposable {
  /**
   * Reports how much has arrived, and how much of that cannot be passed on yet.
   *
   * @throws NoRoom when there is no room for it; the memory is released then.
   */
  arrived(bytes: number, waitingBytes: number): void;
}

/** The share of one address: a quarter, but at least the largest upload. */
const SHARES = 4;
const MIN_SHARE_BYTES = 17 * 1024 * 1024;
/** Small bodies have an eighth more, so that uploads cannot keep out all other requests. */
const SMALL_EXTRA = 1 / 8;
/** A body that has stalled for less is not ended. */
const MIN_STALLED_MS = 2_000;

interface Held {
  readonly body: AdmittedBody;
  readonly readAheadBytes: number;
  bytes: number;
  /** Whether later arrivals are not counted. */
  isOver: boolean;
}

/** The bodies of an address. */
interface Share {
  held: number;
  readonly admitted: Set<Held>;
}

export function createUploadBudget(maxBytes: number): UploadBudget {
  const shareBytes = Math.max(maxBytes / SHARES, Math.min(maxBytes, MIN_SHARE_BYTES));
  const admitted = new Set<Held>();
  const shares = new Map<string, Share>();
  let held = 0;

  function add(holder: Held): void {
    const { address } = holder.body;
    const share = shares.get(address) ?? { held: 0, admitted: new Set() };
    shares.set(address, share);
    share.admitted.add(holder);
    admitted.add(holder);
  }

  function release(holder: Held): void {
    const { address } = holder.body;
    const share = shares.get(address);
    take(holder, -holder.bytes);
    holder.isOver = true;
    admitted.delete(holder);
    share?.admitted.delete(holder);
    if (share?.admitted.size === 0) shares.delete(address);
  }

  function take(holder: Held, bytes: number): void {
    const share = shares.get(holder.body.address);
    if (share === undefined || holder.isOver) return;
    held += bytes;
    holder.bytes += bytes;
    share.held += bytes;
  }

  /** @param unreadOfAll what may be unread of all bodies. */
  function requireRoom(holder: Held, bytes: number, unreadOfAll: number): void {
    const { address } = holder.body;
    const share = shares.get(address);
    const ofAddress = share === undefined ? 0 : share.held + unreadBytes(share.admitted, holder);
    const extra = holder.bytes + bytes <= SMALL_BYTES ? 1 + SMALL_EXTRA : 1;
    const isFree =
      makeRoom(ofAddress + bytes - shareBytes * extra, holder, address) &&
      makeRoom(held + unreadOfAll + bytes - maxBytes * extra, holder, null);
    if (!isFree) throw new NoRoom("Too much is being uploaded at the moment");
  }

  /** What may have arrived of some bodies beyond what they hold, but for the one that asks. */
  function unreadBytes(of: ReadonlySet<Held>, asking: Held): number {
    let unread = 0;
    for (const holder of of)
      if (holder !== asking && holder.bytes < holder.readAheadBytes && holder.body.mayBeUnread)
        unread += holder.readAheadBytes - holder.bytes;
    return unread;
  }

  /** Ends the longest stalled bodies, of one address or of any, to free `bytes`. Ends none if that were not enough. */
  function makeRoom(bytes: number, asking: Held, address: string | null): boolean {
    if (bytes <= 0) return true;
    let missing = bytes;
    const ended: Held[] = [];
    for (const holder of stalled(asking, address)) {
      ended.push(holder);
      missing -= holder.bytes;
      if (missing <= 0) break;
    }
    if (missing > 0) return false;
    for (const holder of ended) {
      release(holder);
      holder.body.end(new NoRoom("The body stalled while other requests needed its memory"));
    }
    return true;
  }

  /** The longest stalled first. */
  function stalled(asking: Held, address: string | null): Held[] {
    return [...(address === null ? admitted : (shares.get(address)?.admitted ?? []))]
      .filter((holder) => holder !== asking && holder.bytes > 0)
      .map((holder) => ({ holder, stalledMs: holder.body.arrival.stalledMs }))
      .filter(({ stalledMs }) => stalledMs >= MIN_STALLED_MS)
      .sort((a, b) => b.stalledMs - a.stalledMs)
      .map(({ holder }) => holder);
  }

  return {
    get heldBytes() {
      return held;
    },
    admit(body, declaredBytes) {
      const readAheadBytes = Math.min(declaredBytes || READ_AHEAD_BYTES, READ_AHEAD_BYTES);
      const holder: Held = { body, readAheadBytes, bytes: 0, isOver: false };
      requireRoom(holder, Math.min(declaredBytes, STREAMED_BYTES), unreadBytes(admitted, holder));
      add(holder);
      return {
        arrived(bytes, waitingBytes) {
          const needed = Math.max(Math.min(bytes, STREAMED_BYTES), waitingBytes) - holder.bytes;
          if (holder.isOver || needed <= 0) return;
          // bodies of which nothing had come were admitted in any number, and now all of them may be arriving
          try {
            requireRoom(holder, needed, 0);
          } catch (error) {
            release(holder); // it may take a while until its reading ends, and others would be refused for it meanwhile
            throw error;
          }
          take(holder, needed);
        },
        [Symbol.dispose]: () => release(holder),
      };
    },
  };
}
