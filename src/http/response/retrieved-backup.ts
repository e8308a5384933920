/** The answer of `/v1/retrieve/from-challenge`: JSON with the whole ciphertext in it. */
import { encodeBase64 } from "../../crypto/encoding.ts";
import { ServiceError } from "../../errors.ts";
import type { ResponseOf } from "../../protocol/operations.ts";
import { IN_MEMORY_BYTES } from "../../runtime/sizes.ts";
import { onTooLate } from "../request-context.ts";
import type { Answer, AnswerFiles } from "./answer-files.ts";

export interface RetrievedBackup extends Omit<ResponseOf<"retrieve">, "backup"> {
  /** Bytes of `content`. */
  readonly size: number;
  readonly content: ReadableStream<Uint8Array>;
}

/**
 * Makes the answer to `request`, which has a known length. It is not compressed: the ciphertext is random already.
 *
 * @throws ServiceError as {@link AnswerFiles.make}; what `content` throws.
 */
export async function retrievedBackupAnswer(
  request: Request,
  { metadata, syncFactorToken, size, content }: RetrievedBackup,
  answerFiles: AnswerFiles,
): Promise<Answer> {
  const head = '{"backup":"';
  const tail = `",${JSON.stringify({ metadata, syncFactorToken }).slice(1)}`;
  if (size > IN_MEMORY_BYTES) {
    const reader = content.getReader();
    const cancel = () =>
      reader.cancel().catch(() => {
        // it has failed, and the read has thrown the error
      });
    let isLate = false;
    onTooLate(request, () => {
      isLate = true;
      void cancel();
    });
    try {
      const pieces = wholeOf(reader, size, () => isLate);
      return await answerFiles.make(texts(head, pieces, tail));
    } finally {
      await cancel();
    }
  }
  const text = head + encodeBase64(await Bun.readableStreamToBytes(content)) + tail;
  const headers = { "content-type": "application/json", "content-length": String(Buffer.byteLength(text)) };
  return { send: () => new Response(text, { headers }), discard: async () => {}, file: null };
}

interface ContentReader {
  /** No value at the end. */
  read(): Promise<{ readonly value?: Uint8Array | undefined }>;
}

async function* wholeOf(
  reader: ContentReader,
  size: number,
  isLate: () => boolean,
): AsyncGenerator<Uint8Array> {
  let left = size;
  for (let { value } = await reader.read(); value !== undefined; { value } = await reader.read()) {
    left -= value.length;
    yield value;
  }
  if (isLate()) throw new ServiceError("request_timeout", "The request took too long");
  if (left !== 0) throw new Error(`a backup ended ${left} bytes early`);
}

async function* texts(
  head: string,
  content: AsyncIterable<Uint8Array>,
  tail: string,
): AsyncGenerator<string> {
  yield head;
  /** Base64 goes by three bytes: up to two wait for the next piece. */
  let rest: Uint8Array = new Uint8Array();
  for await (const piece of content) {
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    const whole = bytes.length - (bytes.length % 3);
    yield encodeBase64(bytes.subarray(0, whole));
    rest = bytes.subarray(whole);
  }
  yield encodeBase64(rest) + tail;
}
