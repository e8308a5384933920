/** Bounds the memory in which ciphertexts wait for their upload. What finds no room waits on disk. */

/** The share of one client: a part of the whole. */
const CLIENT_SHARE = 1 / 4;

/** Disposing of it releases the memory, once; it does not grow afterwards. */
export interface SpoolReservation extends Disposable {
  /** Whether there is room for `bytes` in all, which are reserved then. Otherwise keeps what is reserved. */
  growTo(bytes: number): boolean;
}

export class SpoolMemory {
  readonly #maxBytes: number;
  readonly #clientBytes: number;
  #held = 0;
  readonly #heldByClient = new Map<string, number>();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#clientBytes = maxBytes * CLIENT_SHARE;
  }

  /** Begins a reservation of 0 bytes. */
  reserve(client: string): SpoolReservation {
    let reserved = 0;
    let isOver = false;
    return {
      growTo: (bytes) => {
        const more = bytes - reserved;
        if (isOver || !this.#hasRoom(client, more)) return false;
        this.#take(client, more);
        reserved = bytes;
        return true;
      },
      [Symbol.dispose]: () => {
        this.#take(client, -reserved);
        reserved = 0;
        isOver = true;
      },
    };
  }

  #hasRoom(client: string, bytes: number): boolean {
    return this.#held + bytes <= this.#maxBytes && this.#heldBy(client) + bytes <= this.#clientBytes;
  }

  #heldBy(client: string): number {
    return this.#heldByClient.get(client) ?? 0;
  }

  #take(client: string, bytes: number): void {
    const left = this.#heldBy(client) + bytes;
    this.#held += bytes;
    if (left > 0) this.#heldByClient.set(client, left);
    else this.#heldByClient.delete(client);
  }
}
