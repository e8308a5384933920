/** Not so small that bytes which come one by one are copied over and over. */
const MIN_CAPACITY = 1024;

/**
 * Bytes put together as they come. However small the pieces are, they take no more than twice their bytes, nor more than
 * `maxBytes` until there are more of them.
 */
export class CollectedBytes {
  readonly #maxBytes: number;
  #bytes: Uint8Array = new Uint8Array();
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** As a view: adding more may change what is behind it. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  get length(): number {
    return this.#length;
  }

  /** The memory that they take, in bytes: there may be room for more of them already. */
  get heldBytes(): number {
    return this.#bytes.length;
  }

  /** Takes over `piece` where it is the first: it must not be changed afterwards. */
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
