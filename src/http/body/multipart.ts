/** The two parts of an upload, read from a multipart/form-data body (RFC 7578) as it arrives. */
import { setImmediate as nextIteration } from "node:timers/promises";
import { MAX_PART_HEADER_BYTES, MAX_PAYLOAD_BYTES, STEP_BYTES } from "../../runtime/sizes.ts";
import { boundaryOf, malformed, partName } from "./multipart-headers.ts";
import { Part } from "./part.ts";

const MAX_PARTS = 16;
const CR = "\r";
const CRLF = "\r\n";
const DASHES = Buffer.from("--");

/** Reads the parts `payload` and `backup`, in any order; others are ignored. */
export class UploadParts {
  payload: Part | null = null;
  backup: Part | null = null;
  readonly #source: AsyncIterator<Uint8Array, undefined>;
  readonly #maxBackupBytes: number;
  /** What ends a part (RFC 2046 §5.1.1). */
  readonly #delimiter: Buffer;
  /** Bytes that are not parsed yet. They begin with a line break, so that the first delimiter is found too. */
  #pending: Buffer = Buffer.from(CRLF);
  readonly #steps: AsyncGenerator<void, undefined>;

  /** @throws ServiceError `multipart_error` where the content-type names no boundary. */
  constructor(contentType: string, body: AsyncIterator<Uint8Array, undefined>, maxBackupBytes: number) {
    this.#delimiter = Buffer.from(`${CRLF}--${boundaryOf(contentType)}`);
    this.#source = body;
    this.#maxBackupBytes = maxBackupBytes;
    this.#steps = this.#read();
  }

  /**
   * Reads on; `false` at the end of the body.
   *
   * @throws ServiceError `multipart_error` for a malformed body, and at the end of an incomplete one; what the body throws.
   */
  async advance(): Promise<boolean> {
    return (await this.#steps.next()).done !== true;
  }

  async *#read(): AsyncGenerator<void, undefined> {
    yield* this.#readContent(null); // what precedes the first part
    for (let count = 0; !(await this.#isLastDelimiter()); count++) {
      if (count === MAX_PARTS) throw malformed("it has too many parts");
      const part = this.#begin(await this.#readHeaders());
      yield* this.#readContent(part);
      if (part !== null) part.isComplete = true;
    }
    do {
      this.#drop(this.#pending.length);
      yield;
    } while (await this.#readOn());
  }

  /** Reads past the next delimiter. */
  async *#readContent(part: Part | null): AsyncGenerator<void, undefined> {
    const delimiter = this.#delimiter;
    for (;;) {
      const step = this.#pending.subarray(0, STEP_BYTES);
      const at = step.indexOf(delimiter);
      const length = at === -1 ? step.length - begunLength(step, delimiter) : at;
      if (length > 0) part?.add(step.subarray(0, length));
      this.#drop(length);
      if (at !== -1) break;
      yield;
      if (this.#pending.length < delimiter.length) await this.#require();
      else await nextIteration(); // other requests run between two steps
    }
    this.#drop(delimiter.length);
  }

  /** White space may follow a delimiter; two dashes and anything follow the last one. */
  async #isLastDelimiter(): Promise<boolean> {
    while (this.#pending.length < DASHES.length) await this.#require();
    if (this.#pending.subarray(0, DASHES.length).equals(DASHES)) return true;
    const padding = await this.#readUntil(CRLF);
    if (!/^[ \t]*$/.test(padding)) throw malformed("something follows a boundary");
    return false;
  }

  /** The end of the delimiter's line may also end empty headers, and the end of the headers may begin a delimiter. */
  async #readHeaders(): Promise<string> {
    const headers = await this.#readUntil(CRLF + CRLF);
    this.#drop(CRLF.length);
    while (this.#pending.length < this.#delimiter.length) await this.#require();
    if (!this.#pending.subarray(0, this.#delimiter.length).equals(this.#delimiter)) this.#drop(CRLF.length);
    return headers;
  }

  /** Reads up to `end`, but not `end` itself. */
  async #readUntil(end: string): Promise<string> {
    for (;;) {
      const length = this.#pending.subarray(0, MAX_PART_HEADER_BYTES + end.length).indexOf(end);
      if ((length === -1 ? this.#pending.length : length) > MAX_PART_HEADER_BYTES)
        throw malformed("the headers of a part are too long");
      if (length !== -1) {
        const text = this.#pending.toString("utf8", 0, length);
        this.#drop(length);
        return text;
      }
      await this.#require();
    }
  }

  async #require(): Promise<void> {
    if (!(await this.#readOn())) throw malformed("it ends early");
  }

  /** `false` at the end of the body. */
  async #readOn(): Promise<boolean> {
    const { value, done } = await this.#source.next();
    if (done === true) return false;
    this.#pending =
      this.#pending.length === 0
        ? Buffer.from(value.buffer, value.byteOffset, value.length)
        : Buffer.concat([this.#pending, value]);
    return true;
  }

  #begin(headers: string): Part | null {
    const name = partName(headers);
    if (name !== "payload" && name !== "backup") return null;
    if (this[name] !== null) throw malformed(`the part ${name} is repeated`);
    this[name] = new Part(name === "payload" ? MAX_PAYLOAD_BYTES : this.#maxBackupBytes);
    return this[name];
  }

  #drop(length: number): void {
    this.#pending = this.#pending.subarray(length);
  }
}

/** How many bytes at the end of `step` may begin a delimiter: seldom any, so that what follows need not be copied. */
function begunLength(step: Buffer, delimiter: Buffer): number {
  const tail = step.subarray(Math.max(0, step.length - delimiter.length + 1));
  for (let at = tail.indexOf(CR); at !== -1; at = tail.indexOf(CR, at + 1))
    if (delimiter.subarray(0, tail.length - at).equals(tail.subarray(at))) return tail.length - at;
  return 0;
}
