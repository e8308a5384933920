import { Readable } from "node:stream";
import type { Content } from "../contract.ts";

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
