/** The answer of `/v1/retrieve/from-challenge`: JSON with the whole ciphertext in it. */
import { encodeBase64 } from "../crypto/encoding.ts";

export interface RetrievedBackup {
  readonly metadata: unknown;
  readonly syncFactorToken: string;
  /** Bytes of `content`. */
  readonly size: number;
  readonly content: ReadableStream<Uint8Array>;
}

/** Up to this size an answer is made in one piece, with its length: it takes no more memory than a stream does. */
const ONE_PIECE_BYTES = 256 * 1024;

/**
 * Makes the answer, piece by piece where it is large: a stream is sent with chunked framing, so a client notices when
 * it ends early. It is not compressed: the ciphertext is random already.
 *
 * @param onBreak sees the error that breaks a stream off: by then the status is sent, and nobody else could tell.
 */
export async function retrievedBackupResponse(
  backup: RetrievedBackup,
  onBreak: (error: unknown) => void,
): Promise<Response> {
  const { metadata, syncFactorToken, size, content } = backup;
  const head = '{"backup":"';
  const tail = `",${JSON.stringify({ metadata, syncFactorToken }).slice(1)}`;
  const body =
    size <= ONE_PIECE_BYTES
      ? head + Buffer.from(await new Response(content).arrayBuffer()).toString("base64") + tail
      : streamed(head, content, tail, onBreak);
  return new Response(body, { headers: { "content-type": "application/json" } });
}

/** Makes each piece when the client is ready for it, so that a slow one holds little. */
function streamed(
  head: string,
  content: ReadableStream<Uint8Array>,
  tail: string,
  onBreak: (error: unknown) => void,
): ReadableStream<Uint8Array> {
  const reader = content.getReader();
  /** Base64 goes by three bytes: up to two wait for the next piece. */
  let rest: Uint8Array = new Uint8Array();
  let prefix = head;
  let isCancelled = false;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (isCancelled) return;
          if (done) {
            controller.enqueue(Buffer.from(prefix + encodeBase64(rest) + tail));
            controller.close();
            return;
          }
          const bytes = rest.length === 0 ? value : Buffer.concat([rest, value]);
          const whole = bytes.length - (bytes.length % 3);
          rest = bytes.slice(whole);
          controller.enqueue(Buffer.from(prefix + encodeBase64(bytes.subarray(0, whole)), "latin1"));
          prefix = "";
        } catch (error) {
          onBreak(error);
          throw error;
        }
      },
      cancel(reason) {
        isCancelled = true;
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
