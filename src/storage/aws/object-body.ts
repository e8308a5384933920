import { Readable } from "node:stream";
import type { Content } from "../contract.ts";
import { TryAgain } from "./retry.ts";

/**
 * The body of an answer as it arrives.
 *
 * @throws TryAgain when the connection breaks, or nothing arrives for `stallMs` while a piece is waited for.
 */
export async function* unlessStalled(body: Readable, stallMs: number): AsyncGenerator<Uint8Array> {
  const pieces: AsyncIterator<Uint8Array> = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const timer = setTimeout(() => body.destroy(new Error(`nothing arrived for ${stallMs} ms`)), stallMs);
      const next = await pieces.next().finally(() => clearTimeout(timer));
      if (next.done === true) return;
      yield next.value;
    }
  } catch (error) {
    throw new TryAgain("the connection broke while a blob was read", { cause: error });
  } finally {
    body.destroy();
  }
}

/** Content up to `maxBytes`, to the end of the piece that reaches them: a body that is too long is not read on. */
export async function* upTo(
  maxBytes: number,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of content) {
    yield piece;
    bytes += piece.length;
    if (bytes >= maxBytes) return;
  }
}

/**
 * Passes pieces to `send` as a body. However that ends, nothing reads the pieces afterwards.
 *
 * @throws what `send` throws; an error of reading the pieces, which the SDK's client does not report.
 */
export async function withBody<T>(pieces: Content, send: (body: Readable) => Promise<T>): Promise<T> {
  const body = Readable.from(pieces, { objectMode: false });
  const failed = new Promise<never>((_resolve, reject) => body.on("error", reject));
  const closed = new Promise<void>((resolve) => body.on("close", resolve));
  try {
    return await Promise.race([send(body), failed]);
  } finally {
    body.destroy();
    await closed;
  }
}
