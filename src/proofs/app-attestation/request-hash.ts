import { encodeHex, sha256 } from "../../crypto/encoding.ts";
import { type AttestedRequest, attestedForm } from "../../protocol/attested-request.ts";

/**
 * Identifies a request by its content: the SHA-256 in lower-case hex of its attested form.
 *
 * @throws InvalidJson when the body is not JSON.
 */
export function requestHash(request: AttestedRequest): string {
  return encodeHex(sha256(attestedForm(request)));
}
