import { SHORT_PIECE_BYTES } from "../../runtime/sizes.ts";
import { CollectedBytes } from "./collected-bytes.ts";

/**
 * The content of a part as far as it has arrived. Over the limit its bytes are counted and no longer kept. Short pieces
 * are put together.
 */
export class Part {
  /** Bytes that have arrived. */
  size = 0;
  isComplete = false;
  readonly #maxBytes: number;
  readonly #pieces: Uint8Array[] = [];
  /** The last piece, while it is short. */
  #short = new CollectedBytes(SHORT_PIECE_BYTES);

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** `piece` must not be changed afterwards. */
  add(piece: Uint8Array): void {
    this.size += piece.length;
    if (this.size > this.#maxBytes) return;
    if (this.#short.length + piece.length > SHORT_PIECE_BYTES) this.#endShort();
    if (piece.length > SHORT_PIECE_BYTES) this.#pieces.push(piece);
    else this.#short.add(piece);
  }

  /** The next bytes that were not taken yet; `null` when there are none. */
  take(): Uint8Array | null {
    if (this.#pieces.length === 0) this.#endShort();
    return this.#pieces.shift() ?? null;
  }

  /** All bytes that were not taken yet. */
  takeAll(): Uint8Array {
    this.#endShort();
    const pieces = this.#pieces.splice(0);
    return pieces[0] !== undefined && pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
  }

  #endShort(): void {
    if (this.#short.length === 0) return;
    this.#pieces.push(this.#short.bytes);
    this.#short = new CollectedBytes(SHORT_PIECE_BYTES);
  }
}
