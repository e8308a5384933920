/** What goes over the wire, and what is signed for it, for the page to show. */
import type { HttpRequest, HttpResponse, Transport } from "../client/index.ts";
import { fetchTransport } from "../client/transport/fetch.ts";

/** A request and its response. */
export interface RecordedRequest {
  readonly kind: "request";
  readonly method: string;
  readonly path: string;
  /** The body as JSON. */
  readonly sent: unknown;
  /** The ciphertext of an upload. */
  readonly content: Uint8Array | null;
  /** `null` where there was no response. */
  readonly status: number | null;
  readonly received: unknown;
  readonly requestId: string | null;
  readonly ms: number;
}

/** A message that a factor signed. */
export interface RecordedSignature {
  readonly kind: "signature";
  readonly signer: string;
  /** What the message consists of, and how it was signed. */
  readonly form: string;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

export type Recorded = RecordedRequest | RecordedSignature;

/** Passes requests on, and records each with its response. */
export function recordingTransport(record: (entry: RecordedRequest) => void): Transport {
  return async (request) => {
    const start = performance.now();
    const entry = (response: HttpResponse | null): RecordedRequest => ({
      kind: "request",
      method: request.method,
      path: new URL(request.url).pathname,
      ...sentBy(request),
      status: response?.status ?? null,
      received: response === null ? null : parsed(response.text),
      requestId: response?.header("x-request-id") ?? null,
      ms: performance.now() - start,
    });
    try {
      const response = await fetchTransport(request);
      record(entry(response));
      return response;
    } catch (error) {
      record(entry(null));
      throw error;
    }
  };
}

/** The body, taken apart where it is an upload. One character of `latin` is one byte. */
function sentBy({ body, headers }: HttpRequest): Pick<RecordedRequest, "sent" | "content"> {
  if (typeof body === "string") return { sent: parsed(body), content: null };
  const latin = new TextDecoder("latin1").decode(body);
  const [, boundary = ""] = /boundary=(.+)$/.exec(headers["content-type"] ?? "") ?? [];
  const end = latin.indexOf(`\r\n--${boundary}`);
  const payload = body.subarray(latin.indexOf("\r\n\r\n") + 4, end);
  const content = body.subarray(latin.indexOf("\r\n\r\n", end) + 4, latin.lastIndexOf(`\r\n--${boundary}`));
  return { sent: parsed(new TextDecoder().decode(payload)), content };
}

function parsed(text: string): unknown {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return text; // shown as it is
  }
}
