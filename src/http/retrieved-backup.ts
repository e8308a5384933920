/** The answer of `/v1/retrieve/from-challenge`: JSON with the whole ciphertext in it, made piece by piece. */

export interface RetrievedBackup {
  readonly metadata: unknown;
  readonly syncFactorToken: string;
  /** Bytes of `content`. */
  readonly size: number;
  readonly content: ReadableStream<Uint8Array>;
}

/** A multiple of 3 bytes, so that base64 needs no padding in between. */
const PIECE_BYTES = 3 * 64 * 1024;

/**
 * Streams the answer with its length known beforehand, so that a client notices when it ends early. It is not
 * compressed: the ciphertext is random already.
 */
export function retrievedBackupResponse({
  metadata,
  syncFactorToken,
  size,
  content,
}: RetrievedBackup): Response {
  const head = Buffer.from('{"backup":"');
  const tail = Buffer.from(`",${JSON.stringify({ metadata, syncFactorToken }).slice(1)}`);
  const length = head.length + 4 * Math.ceil(size / 3) + tail.length;
  return new Response(bodyOf(head, content, tail), {
    headers: { "content-type": "application/json", "content-length": String(length) },
  });
}

function bodyOf(head: Uint8Array, content: ReadableStream<Uint8Array>, tail: Uint8Array) {
  let rest: Uint8Array = Buffer.alloc(0);
  return content.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      start(controller) {
        controller.enqueue(head);
      },
      transform(chunk, controller) {
        const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
        const whole = bytes.length - (bytes.length % 3);
        for (let start = 0; start < whole; start += PIECE_BYTES)
          controller.enqueue(base64(bytes.subarray(start, Math.min(start + PIECE_BYTES, whole))));
        rest = bytes.subarray(whole);
      },
      flush(controller) {
        controller.enqueue(base64(rest));
        controller.enqueue(tail);
      },
    }),
  );
}

function base64(bytes: Uint8Array): Uint8Array {
  return Buffer.from(
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64"),
    "latin1",
  );
}
