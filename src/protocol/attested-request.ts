import { canonicalJson, canonicalObject } from "./canonical-json.ts";

/** What an app attestation is about. */
export interface AttestedRequest {
  readonly method: string;
  /** The full path, with `/v1`. */
  readonly path: string;
  /** The body as it is sent; `null` or empty when there is none. */
  readonly body: string | null;
}

/**
 * The text whose SHA-256 in lower-case hex an app attestation names: the canonical JSON of
 * `{"body": …, "method": …, "pathUri": …}`. Without a body there is no `body`.
 *
 * @throws InvalidJson when the body is not JSON.
 */
export function attestedForm({ method, path, body }: AttestedRequest): string {
  return canonicalObject([
    ["method", JSON.stringify(method)],
    ["pathUri", JSON.stringify(path)],
    ["body", body === null || body === "" ? "null" : canonicalJson(body)],
  ]);
}
