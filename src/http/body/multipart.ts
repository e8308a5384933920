/** The two parts of an upload, read from a multipart/form-data body (RFC 7578) as it arrives. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Chunks } from "../../runtime/chunks.ts";
import { boundaryOf } from "./boundary.ts";
import { malformed } from "./malformed-multipart.ts";
import { Part } from "./part.ts";
import { partName } from "./part-headers.ts";

export interface UploadLimits {
  readonly maxPayloadBytes: number;
  readonly maxBackupBytes: number;
}

/** Searched at a time, so that one body does not hold the event loop for long. */
const MAX_STEP_BYTES = 64 * 1024;
const MAX_PARTS = 16;
const MAX_HEADER_BYTES = 16 * 1024;
const CRLF = "\r\n";
const DASHES = Buffer.from("--");

type State = "content" | "behind-boundary" | "headers" | "behind-headers" | "epilogue";

/** Reads the parts `payload` and `backup`, in any order; others are passed over. */
export class UploadParts {
  /** Bytes of the body that have arrived. */
  size = 0;
  payload: Part | null = null;
  backup: Part | null = null;
  readonly #source: Chunks;
  readonly #limits: UploadLimits;
  /** What ends a part (RFC 2046 §5.1.1). `null` where the content-type names no boundary. */
  readonly #delimiter: Buffer | null;
  /** The preamble is read like the content of a part of another name. */
  #state: State = "content";
  #part: Part | null = null;
  #partCount = 0;
  /** Has arrived and is not parsed yet. It begins with a line break, so that the first delimiter is found too. */
  #pending: Buffer = Buffer.from(CRLF);
  /** Whether there is more to search in what is pending. */
  #isSearching = false;
  readonly #contentType: string;
  #hasEnded = false;

  /** @param body of `request`. */
  constructor(request: Request, body: Chunks, limits: UploadLimits) {
    this.#contentType = request.headers.get("content-type") ?? "";
    const boundary = boundaryOf(this.#contentType);
    this.#delimiter = boundary === null ? null : Buffer.from(`${CRLF}--${boundary}`);
    this.#limits = limits;
    this.#source = body;
  }

  /**
   * Reads on; `false` at the end of the body.
   *
   * @throws ServiceError `multipart_error` as soon as the body cannot be right any more, and at its end when it is not
   *   whole; `content_too_large` for a body over the limit.
   */
  async advance(): Promise<boolean> {
    if (this.#hasEnded) return false;
    try {
      if (this.#delimiter === null) throw malformed(contentTypeProblem(this.#contentType));
      if (this.#isSearching)
        await nextTurn(); // other requests run between two steps of a chunk
      else {
        const chunk = (await this.#source.next()).value;
        if (chunk === undefined) return this.#end();
        this.size += chunk.length;
        this.#append(chunk, this.#delimiter);
      }
      while (this.#parse(this.#delimiter));
      return true;
    } catch (error) {
      this.#hasEnded = true;
      await this.#source.return();
      throw error;
    }
  }

  #end(): false {
    if (this.#state !== "epilogue") throw malformed("it ends early");
    this.#hasEnded = true;
    return false;
  }

  /** Puts a chunk behind what is pending: without a copy where no delimiter is on the seam. */
  #append(chunk: Uint8Array, delimiter: Buffer): void {
    const after = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const seam = [this.#pending, after.subarray(0, delimiter.length - 1)];
    if (
      this.#state === "content" &&
      chunk.length >= delimiter.length &&
      !Buffer.concat(seam).includes(delimiter)
    ) {
      this.#take(this.#pending.length);
      this.#pending = after;
    } else this.#pending = Buffer.concat([this.#pending, after]);
  }

  /** Parses one more element of what is pending; `false` where that takes more bytes. */
  #parse(delimiter: Buffer): boolean {
    switch (this.#state) {
      case "content":
        return this.#parseContent(delimiter);
      case "behind-boundary":
        return this.#parseBoundaryEnd();
      case "headers":
        return this.#parseHeaders();
      case "behind-headers":
        return this.#parseHeadersEnd(delimiter);
      case "epilogue":
        this.#drop(this.#pending.length);
        return false;
    }
  }

  #parseContent(delimiter: Buffer): boolean {
    const step = this.#pending.subarray(0, MAX_STEP_BYTES);
    const at = step.indexOf(delimiter);
    // the end of the step may be the beginning of a delimiter
    this.#take(at === -1 ? Math.max(0, step.length - delimiter.length + 1) : at);
    this.#isSearching = at === -1 && this.#pending.length >= delimiter.length;
    if (at === -1) {
      if (!this.#isSearching) this.#pending = Buffer.from(this.#pending); // a view would keep all of its chunk
      return false;
    }
    this.#drop(delimiter.length);
    if (this.#part !== null) this.#part.isComplete = true;
    this.#part = null;
    this.#state = "behind-boundary";
    return true;
  }

  /** Moves pending bytes to the part that is being read. */
  #take(length: number): void {
    if (length > 0) this.#part?.add(this.#pending.subarray(0, length));
    this.#drop(length);
  }

  /** White space may follow a boundary, or two dashes and anything after the last one. */
  #parseBoundaryEnd(): boolean {
    if (this.#pending.length < DASHES.length) return false;
    if (this.#pending.subarray(0, DASHES.length).equals(DASHES)) {
      this.#state = "epilogue";
      return true;
    }
    const end = this.#headerLength(CRLF);
    if (end === -1) return false;
    if (!/^[ \t]*$/.test(this.#pending.toString("latin1", 0, end)))
      throw malformed("something follows a boundary");
    this.#drop(end); // but not the line break: it ends the headers where there are none
    this.#state = "headers";
    return true;
  }

  #parseHeaders(): boolean {
    const length = this.#headerLength(CRLF + CRLF);
    if (length === -1) return false;
    const headers = this.#pending.toString("utf8", 0, length);
    this.#drop(length + CRLF.length);
    this.#begin(headers);
    this.#state = "behind-headers";
    return true;
  }

  /** A part without content may end with the line break that ends its headers. */
  #parseHeadersEnd(delimiter: Buffer): boolean {
    const start = this.#pending.subarray(0, delimiter.length);
    const mayBeDelimiter = start.equals(delimiter.subarray(0, start.length));
    if (mayBeDelimiter && start.length < delimiter.length) return false;
    if (!mayBeDelimiter) this.#drop(CRLF.length);
    this.#state = "content";
    return true;
  }

  /** How much there is before `end`; -1 when it is not there yet. */
  #headerLength(end: string): number {
    const length = this.#pending.subarray(0, MAX_HEADER_BYTES + end.length).indexOf(end);
    if ((length === -1 ? this.#pending.length : length) > MAX_HEADER_BYTES)
      throw malformed("the headers of a part are too long");
    return length;
  }

  #begin(headers: string): void {
    if (++this.#partCount > MAX_PARTS) throw malformed("it has too many parts");
    const name = partName(headers);
    if (name === "payload") this.#part = this.payload = this.#newPart(name, this.#limits.maxPayloadBytes);
    if (name === "backup") this.#part = this.backup = this.#newPart(name, this.#limits.maxBackupBytes);
  }

  #newPart(name: "payload" | "backup", maxBytes: number): Part {
    if (this[name] !== null) throw malformed(`the part ${name} is there twice`);
    return new Part(maxBytes);
  }

  #drop(length: number): void {
    this.#pending = this.#pending.subarray(length);
  }
}

function contentTypeProblem(contentType: string): string {
  return /^\s*multipart\/form-data\s*(;|$)/i.test(contentType)
    ? "its content-type names no valid boundary"
    : "its content-type is not multipart/form-data";
}
