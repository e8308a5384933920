/** One HTTP request, by whatever the platform has. */

/** How much of a body has gone over the wire. */
export interface Progress {
  readonly loadedBytes: number;
  /** `null` where it is not known. */
  readonly totalBytes: number | null;
}

export interface HttpRequest {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly signal: AbortSignal;
  readonly onUpload?: (progress: Progress) => void;
  readonly onDownload?: (progress: Progress) => void;
}

export interface HttpResponse {
  readonly status: number;
  /** The value of a header, by its lower-case name. */
  header(name: string): string | null;
  readonly text: string;
}

/** Sends a request. Rejects with anything where there is no response, or the signal aborts. */
export type Transport = (request: HttpRequest) => Promise<HttpResponse>;
