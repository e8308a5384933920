import { SHORT_PIECE_BYTES } from "../../runtime/sizes.ts";
import { CollectedBytes } from "./collected-bytes.ts";

/** The content of a part that has arrived. Beyond `maxBytes` it is counted but not kept. Short pieces are joined. */
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

  /** Removes and returns the next bytes; `null` if there are none. */
  take(): Uint8Array | null {
    if (this.#pieces.length === 0) this.#endShort();
    return this.#pieces.shift() ?? null;
  }

  /** Removes and returns all bytes. */
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
