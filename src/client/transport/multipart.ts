import { concatenated } from "../hash.ts";

/** The body of an upload, and the header that describes it. */
export interface Multipart {
  readonly contentType: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

/**
 * The form with the parts `payload` and `backup` (RFC 7578) as bytes: React Native's `FormData` takes no bytes, and an upload
 * that is repeated has to be the same.
 */
export function multipart(payload: string, backup: Uint8Array): Multipart {
  const boundary = `backup-${random()}${random()}`;
  const part = (headers: string) => `--${boundary}\r\ncontent-disposition: form-data; ${headers}\r\n\r\n`;
  const utf8 = new TextEncoder();
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    body: concatenated(
      utf8.encode(`${part('name="payload"')}${payload}\r\n`),
      utf8.encode(part('name="backup"; filename="backup.bin"\r\ncontent-type: application/octet-stream')),
      backup,
      utf8.encode(`\r\n--${boundary}--\r\n`),
    ),
  };
}

/** No secret: the boundary must only not occur in the content, by chance. */
function random(): string {
  return Math.random().toString(36).slice(2);
}
