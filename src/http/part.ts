/** Pieces shorter than this are put together. */
const BLOCK_BYTES = 16 * 1024;

/**
 * The content of a part as far as it has arrived. Over the limit its bytes are counted and no longer kept. Small pieces
 * are put together, since each of them alone would take much more memory than its bytes.
 */
export class Part {
  /** Bytes that have arrived. */
  size = 0;
  isComplete = false;
  readonly #maxBytes: number;
  readonly #pieces: Uint8Array[] = [];
  /** The last piece, where there is room for more behind its `#used` bytes. */
  #block: Uint8Array | null = null;
  #used = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Nobody may write to `piece` afterwards. */
  add(piece: Uint8Array): void {
    this.size += piece.length;
    if (this.size > this.#maxBytes) return;
    if (this.#used + piece.length > BLOCK_BYTES) this.#endBlock();
    if (piece.length > BLOCK_BYTES / 2) {
      this.#endBlock();
      this.#pieces.push(piece);
      return;
    }
    this.#block ??= new Uint8Array(BLOCK_BYTES);
    this.#block.set(piece, this.#used);
    this.#used += piece.length;
  }

  /** The next bytes that were not taken yet; `null` when there are none. */
  take(): Uint8Array | null {
    if (this.#pieces.length === 0) this.#endBlock();
    return this.#pieces.shift() ?? null;
  }

  /** All bytes that were not taken yet. */
  takeAll(): Uint8Array {
    this.#endBlock();
    const pieces = this.#pieces.splice(0);
    return pieces[0] !== undefined && pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
  }

  #endBlock(): void {
    if (this.#block === null) return;
    this.#pieces.push(this.#block.subarray(0, this.#used));
    this.#block = null;
    this.#used = 0;
  }
}
