/** Large enough that single bytes are not copied over and over. */
const MIN_CAPACITY = 1024;

/**
 * Joins pieces of bytes in one buffer. It takes at most twice the length of the pieces, however small they are, and at most
 * `maxBytes` until the pieces are longer.
 */
export class CollectedBytes {
  readonly #maxBytes: number;
  #bytes: Uint8Array = new Uint8Array();
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** A view, which a later {@link add} may change. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  get length(): number {
    return this.#length;
  }

  /** The memory that the buffer takes, in bytes. */
  get heldBytes(): number {
    return this.#bytes.length;
  }

  /** `piece` must not be changed afterwards. */
  add(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (this.#length === 0) this.#bytes = piece;
    else {
      if (length > this.#bytes.length) {
        const doubled = Math.min(Math.max(MIN_CAPACITY, 2 * this.#bytes.length), this.#maxBytes);
        const grown = new Uint8Array(Math.max(doubled, length));
        grown.set(this.bytes);
        this.#bytes = grown;
      }
      this.#bytes.set(piece, this.#length);
    }
    this.#length = length;
  }
}
