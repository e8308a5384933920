/** The answer of `/v1/retrieve/from-challenge`: JSON with the whole ciphertext in it. */

export interface RetrievedBackup {
  readonly metadata: unknown;
  readonly syncFactorToken: string;
  /** Bytes of `content`. */
  readonly size: number;
  readonly content: ReadableStream<Uint8Array>;
}

/** Up to this size an answer is made in one piece, which costs less than a stream. */
const ONE_PIECE_BYTES = 64 * 1024;
/** A multiple of 3 bytes, so that base64 needs no padding in between. */
const PIECE_BYTES = 3 * 64 * 1024;

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
      : observed(content, onBreak).pipeThrough(base64Between(head, tail));
  return new Response(body, { headers: { "content-type": "application/json" } });
}

function observed(
  content: ReadableStream<Uint8Array>,
  onBreak: (error: unknown) => void,
): ReadableStream<Uint8Array> {
  const reader = content.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          onBreak(error);
          throw error;
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

function base64Between(head: string, tail: string): TransformStream<Uint8Array, Uint8Array> {
  let rest: Uint8Array = new Uint8Array();
  return new TransformStream({
    start(controller) {
      controller.enqueue(Buffer.from(head));
    },
    transform(chunk, controller) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const whole = bytes.length - (bytes.length % 3);
      for (let start = 0; start < whole; start += PIECE_BYTES)
        controller.enqueue(base64(bytes.subarray(start, Math.min(start + PIECE_BYTES, whole))));
      rest = bytes.slice(whole);
    },
    flush(controller) {
      controller.enqueue(base64(rest));
      controller.enqueue(Buffer.from(tail));
    },
  });
}

function base64(bytes: Uint8Array): Uint8Array {
  return Buffer.from(
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64"),
    "latin1",
  );
}
