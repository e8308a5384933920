import type { HttpRequest, HttpResponse, Progress, Transport } from "./http.ts";

/** So often the progress of an upload is reported at most. */
const PIECE_BYTES = 64 * 1024;

/**
 * By `fetch`. The progress of an upload is that of a streamed body, which Node, Bun and Deno send and browsers do not: they
 * have `XMLHttpRequest`. The progress of a download needs a body that can be streamed, which React Native has not.
 *
 * A redirection is not followed, where the platform lets an app decide: the service sends none, and a proof is for it alone.
 * Browsers then give it the status 0.
 */
export const fetchTransport: Transport = async ({ url, method, headers, body, signal, ...progress }) => {
  const { onUpload, onDownload } = progress;
  const response = await fetch(url, {
    method,
    headers,
    signal,
    redirect: "manual",
    ...(onUpload === undefined || typeof body === "string"
      ? { body }
      : { body: streamed(body, onUpload), duplex: "half" }),
  });
  return {
    status: response.status,
    header: (name) => response.headers.get(name),
    text: await received(response, onDownload),
  };
};

/** Reports pieces as they are taken, which the platform does as fast as it sends. */
function streamed(
  body: Uint8Array<ArrayBuffer>,
  onUpload: NonNullable<HttpRequest["onUpload"]>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream(
    {
      pull(controller) {
        if (at > 0) onUpload({ loadedBytes: at, totalBytes: body.length });
        if (at === body.length) return controller.close();
        const piece = body.subarray(at, at + PIECE_BYTES);
        at += piece.length;
        controller.enqueue(piece);
      },
    },
    { highWaterMark: 0 },
  );
}

async function received(
  response: Response,
  onDownload: ((progress: Progress) => void) | undefined,
): Promise<HttpResponse["text"]> {
  if (onDownload === undefined || response.body == null) return response.text();
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const declared = Number(response.headers.get("content-length") ?? Number.NaN);
  let text = "";
  let loadedBytes = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return text + decoder.decode();
    text += decoder.decode(value, { stream: true });
    loadedBytes += value.length;
    // the declared length of a compressed body is smaller than what arrives
    onDownload({ loadedBytes, totalBytes: declared >= loadedBytes ? declared : null });
  }
}
