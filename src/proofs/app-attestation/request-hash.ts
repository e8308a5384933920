import { encodeHex, sha256 } from "../../crypto/encoding.ts";
import { canonicalJson, canonicalObject } from "./canonical-json.ts";

/** What an attestation is about. */
export interface AttestedRequest {
  readonly method: string;
  /** The full path, with `/v1`. */
  readonly path: string;
  /** The body as it was received; `null` or empty when there is none. */
  readonly body: string | null;
}

/**
 * Identifies a request by its content: the SHA-256 in lower-case hex of the canonical JSON of
 * `{"body": …, "method": …, "pathUri": …}`. Without a body there is no `body`.
 *
 * @throws InvalidJson when the body is not JSON.
 */
export function requestHash({ method, path, body }: AttestedRequest): string {
  const canonical = canonicalObject([
    ["method", JSON.stringify(method)],
    ["pathUri", JSON.stringify(path)],
    ["body", body === null || body === "" ? "null" : canonicalJson(body)],
  ]);
  return encodeHex(sha256(canonical));
}
