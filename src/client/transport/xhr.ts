import type { HttpResponse, Progress, Transport } from "./http.ts";

/** What is used of `XMLHttpRequest` (XMLHttpRequest standard §3). */
interface Xhr {
  readonly status: number;
  readonly responseText: string;
  readonly upload: { onprogress: ((event: ProgressEvent) => void) | null };
  onprogress: ((event: ProgressEvent) => void) | null;
  onload: (() => void) | null;
  onerror: (() => void) | null;
  onabort: (() => void) | null;
  open(method: string, url: string): void;
  setRequestHeader(name: string, value: string): void;
  getResponseHeader(name: string): string | null;
  send(body: string | Uint8Array<ArrayBuffer>): void;
  abort(): void;
}

interface ProgressEvent {
  readonly loaded: number;
  readonly total: number;
  readonly lengthComputable: boolean;
}

/** By `XMLHttpRequest`: browsers and React Native report the progress of uploads only there. `null` elsewhere. */
export function xhrTransport(): Transport | null {
  const platform: object = globalThis;
  const XMLHttpRequest: (new () => Xhr) | undefined = Reflect.get(platform, "XMLHttpRequest");
  if (XMLHttpRequest === undefined) return null;
  return ({ url, method, headers, body, signal, onUpload, onDownload }) =>
    new Promise<HttpResponse>((resolve, reject) => {
      const xhr = new XMLHttpRequest();
      const abort = () => xhr.abort();
      const failed = () => {
        signal.removeEventListener("abort", abort);
        reject(new TypeError(signal.aborted ? "the request was aborted" : "the request failed"));
      };
      xhr.open(method, url);
      for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
      if (onUpload !== undefined) xhr.upload.onprogress = (event) => onUpload(progressOf(event));
      if (onDownload !== undefined) xhr.onprogress = (event) => onDownload(progressOf(event));
      xhr.onerror = failed;
      xhr.onabort = failed;
      xhr.onload = () => {
        signal.removeEventListener("abort", abort);
        const { status, responseText: text } = xhr;
        resolve({ status, text, header: (name) => xhr.getResponseHeader(name) });
      };
      signal.addEventListener("abort", abort);
      if (signal.aborted) failed();
      else xhr.send(body);
    });
}

function progressOf({ loaded, total, lengthComputable }: ProgressEvent): Progress {
  return { loadedBytes: loaded, totalBytes: lengthComputable ? total : null };
}
