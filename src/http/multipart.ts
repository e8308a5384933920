/** The two parts of an upload, read from a multipart/form-data body (RFC 7578) as it arrives. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { make as createParser, type PartInfo } from "multipasta";
import { type Chunks, chunksOf } from "../chunks.ts";
import { ServiceError } from "../errors.ts";

/** A part as far as it has arrived. Over the limit its bytes are counted and no longer kept. */
export interface Part {
  /** What has arrived and was not taken yet. */
  chunks: Uint8Array[];
  size: number;
  isComplete: boolean;
}

export interface UploadLimits {
  readonly maxPayloadBytes: number;
  readonly maxBackupBytes: number;
}

/** Of what is searched at a time. */
const FIRST_PIECE_BYTES = 16 * 1024;
const MIN_PIECE_BYTES = 4 * 1024;
const MAX_PIECE_BYTES = 64 * 1024;
/** How long a search should hold others up. */
const MAX_SEARCH_MS = 1;
const MAX_PARTS = 16;
/** Of what is looked through again for a name: enough for the longest name of a file. */
const MAX_DISPOSITION_LENGTH = 2 * 1024;
const DASH = 0x2d;

/** Reads the parts `payload` and `backup`, in any order; others are passed over. */
export class UploadParts {
  /** Bytes of the body that have arrived. */
  size = 0;
  payload: Part | null = null;
  backup: Part | null = null;
  readonly #source: Chunks;
  readonly #write: (chunk: Uint8Array | null) => void;
  readonly #end: () => void;
  #problem: string | null;
  #pieceBytes = FIRST_PIECE_BYTES;
  #isWhole = false;
  #hasEnded = false;

  /** @param body of `request`. */
  constructor(request: Request, body: Chunks, { maxPayloadBytes, maxBackupBytes }: UploadLimits) {
    const boundary = boundaryOf(request.headers.get("content-type") ?? "");
    this.#problem = boundary === null ? "its content-type names no valid boundary" : null;
    this.#source = inPieces(body, () => this.#pieceBytes);
    const parser = createParser({
      headers: { "content-type": `multipart/form-data; boundary="${boundary ?? "none"}"` },
      maxParts: MAX_PARTS,
      isFile: () => true, // every part as a stream, with or without a filename
      onField: () => {},
      onFile: (info) => {
        const name = nameOf(info);
        if (name === "payload") {
          this.payload = this.#begin(name, this.payload);
          return keepIn(this.payload, maxPayloadBytes, (chunk) => chunk.slice()); // kept for long
        }
        if (name === "backup") {
          this.backup = this.#begin(name, this.backup);
          return keepIn(this.backup, maxBackupBytes, (chunk) => chunk);
        }
        return () => {};
      },
      onError: (error) => {
        this.#problem ??= error._tag;
      },
      onDone: () => {
        this.#isWhole = true;
      },
    });
    const write = wholeDelimiters(parser.write);
    this.#write = (chunk) => this.#feed(() => write(chunk));
    this.#end = () => this.#feed(parser.end);
  }

  /**
   * Reads on; `false` at the end of the body.
   *
   * @throws ServiceError `multipart_error` as soon as the body cannot be right any more, and at its end when it is not
   *   whole; `content_too_large` for a body over the limit.
   */
  async advance(): Promise<boolean> {
    if (this.#hasEnded) return false;
    const next = this.#problem === null ? await this.#source.next() : null;
    if (next !== null && next.done !== true) {
      this.size += next.value.length;
      const startedMs = performance.now();
      this.#write(next.value);
      this.#pieceBytes = nextPieceBytes(this.#pieceBytes, performance.now() - startedMs);
      if (this.#problem === null) return true;
    }
    this.#hasEnded = true;
    await this.#source.return();
    this.#write(null);
    this.#end();
    if (this.#problem === null && this.#isWhole) return false;
    throw new ServiceError(
      "multipart_error",
      `The body is not a whole multipart/form-data: ${this.#problem ?? "it ends early"}`,
    );
  }

  /** The parser throws at some part headers that it cannot decode. */
  #feed(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#problem ??= error instanceof Error ? error.message : "it cannot be parsed";
    }
  }

  #begin(name: string, before: Part | null): Part {
    if (before !== null) this.#problem ??= `the part ${name} is there twice`;
    return { chunks: [], size: 0, isComplete: false };
  }
}

/**
 * The boundary that a content-type names, if it is a valid one: 1 to 70 of some characters, the last no space (RFC 2046
 * §5.1.1). The parser would take others too, and search for some of them for ever.
 */
function boundaryOf(contentType: string): string | null {
  const [, quoted, token] =
    /^multipart\/form-data\s*;(?:[^"]|"[^"]*")*?(?<=[;\s])boundary=(?:"([^"]*)"|([^\s;"]*))/i.exec(
      contentType,
    ) ?? [];
  const boundary = quoted ?? token ?? "";
  return /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/.test(boundary) ? boundary : null;
}

/**
 * The name of a part. The parser leaves a content-disposition alone when anything in it is not as it should be, such as
 * the name of a file, which clients write in any script (RFC 7578 §4.2) and which nobody here needs.
 */
function nameOf({ name, headers }: PartInfo): string {
  const disposition = headers["content-disposition"];
  if (name !== "" || typeof disposition !== "string" || disposition.length > MAX_DISPOSITION_LENGTH)
    return name;
  for (const [, key = "", quoted, plain = ""] of disposition.matchAll(PARAMETER))
    if (key.toLowerCase() === "name") return quoted ?? plain.trim();
  return "";
}
const PARAMETER = /;\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))/g;

/** Some boundaries are slow to search for, so it is found out how much can be searched at a time. */
function nextPieceBytes(bytes: number, searchMs: number): number {
  if (searchMs > MAX_SEARCH_MS) return Math.max(MIN_PIECE_BYTES, bytes / 2);
  if (searchMs < MAX_SEARCH_MS / 4) return Math.min(MAX_PIECE_BYTES, bytes * 2);
  return bytes;
}

/**
 * A chunk may have more than a MiB: others get a turn between the pieces of it. The last piece is a copy: the parser may
 * keep its end until more arrives, and with it the memory of all it is a part of.
 */
function inPieces(chunks: Chunks, pieceBytes: () => number): Chunks {
  let rest: Uint8Array | null = null;
  return chunksOf(
    async () => {
      if (rest === null) rest = (await chunks.next()).value ?? null;
      else await nextTurn();
      if (rest === null) return null;
      const bytes = pieceBytes();
      const isLast: boolean = rest.length <= bytes;
      const piece: Uint8Array = isLast ? rest.slice() : rest.subarray(0, bytes);
      rest = isLast ? null : rest.subarray(bytes);
      return piece;
    },
    () => chunks.return(),
  );
}

function keepIn(
  part: Part,
  maxBytes: number,
  kept: (chunk: Uint8Array) => Uint8Array,
): (chunk: Uint8Array | null) => void {
  return (chunk) => {
    if (chunk === null) {
      part.isComplete = true;
      return;
    }
    part.size += chunk.length;
    if (part.size <= maxBytes) part.chunks.push(kept(chunk));
  };
}

/**
 * The parser takes the two dashes behind the last boundary for a header when a chunk ends between or before them, so
 * up to two dashes at the end of a chunk wait for the next one. `null` ends the body.
 */
function wholeDelimiters(write: (chunk: Uint8Array) => void): (chunk: Uint8Array | null) => void {
  let held = 0;
  return (chunk) => {
    const whole =
      held === 0 && chunk !== null ? chunk : Buffer.concat([Buffer.alloc(held, DASH), chunk ?? Buffer.of()]);
    held = 0;
    if (chunk !== null) while (held < 2 && whole.at(-1 - held) === DASH) held++;
    write(whole.subarray(0, whole.length - held));
  };
}
