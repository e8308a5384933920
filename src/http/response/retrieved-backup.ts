/** The response of `/v1/retrieve/from-challenge`: JSON with the whole ciphertext in it. */
import { encodeBase64 } from "../../crypto/encoding.ts";
import type { ResponseOf } from "../../protocol/operations.ts";
import { IN_MEMORY_BYTES } from "../../runtime/sizes.ts";
import type { ResponseFile, ResponseFiles } from "./response-files.ts";

export interface RetrievedBackup extends Omit<ResponseOf<"retrieve">, "backup"> {
  /** Bytes of `content`. */
  readonly size: number;
  readonly content: ReadableStream<Uint8Array>;
}

/**
 * Makes a response of known length: a small one in memory, a large one as a file. It is not compressed, because the
 * ciphertext is random.
 *
 * @param ended aborts the reading of a large one.
 * @throws ServiceError as {@link ResponseFiles.make}; what `content` throws; the reason of `ended`.
 */
export async function retrievedBackupResponse(
  { metadata, syncFactorToken, size, content }: RetrievedBackup,
  files: ResponseFiles,
  ended: AbortSignal,
): Promise<Response | ResponseFile> {
  const head = '{"backup":"';
  const tail = `",${JSON.stringify({ metadata, syncFactorToken }).slice(1)}`;
  if (size <= IN_MEMORY_BYTES) {
    const text = head + encodeBase64(await Bun.readableStreamToBytes(content)) + tail;
    const headers = { "content-type": "application/json", "content-length": String(Buffer.byteLength(text)) };
    return new Response(text, { headers });
  }
  const reader = content.getReader();
  const cancel = () =>
    reader.cancel().catch(() => {
      // the content has failed, and the read has thrown the error
    });
  ended.addEventListener("abort", cancel);
  try {
    ended.throwIfAborted();
    return await files.make(texts(head, wholeOf(reader, size, ended), tail));
  } finally {
    await cancel();
  }
}

async function* wholeOf(
  reader: { read(): Promise<{ readonly value?: Uint8Array | undefined }> },
  size: number,
  ended: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let left = size;
  for (let { value } = await reader.read(); value !== undefined; { value } = await reader.read()) {
    left -= value.length;
    yield value;
  }
  ended.throwIfAborted();
  if (left !== 0) throw new Error(`a backup ended ${left} bytes early`);
}

async function* texts(
  head: string,
  content: AsyncIterable<Uint8Array>,
  tail: string,
): AsyncGenerator<string> {
  yield head;
  /** Base64 encodes three bytes at a time: up to two wait for the next piece. */
  let rest: Uint8Array = new Uint8Array();
  for await (const piece of content) {
    const missing = rest.length === 0 ? 0 : 3 - rest.length;
    if (piece.length < missing) {
      rest = Buffer.concat([rest, piece]);
      continue;
    }
    if (missing > 0) yield encodeBase64(Buffer.concat([rest, piece.subarray(0, missing)]));
    const end = piece.length - ((piece.length - missing) % 3);
    yield encodeBase64(piece.subarray(missing, end));
    rest = piece.slice(end); // a view would keep the piece
  }
  yield encodeBase64(rest) + tail;
}
