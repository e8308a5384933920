import type { Readable } from "node:stream";
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
