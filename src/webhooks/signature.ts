/** Signatures of the Standard Webhooks specification 1.0.0: symmetric, version 1. */
import { createHmac } from "node:crypto";
import { encodeBase64 } from "../crypto/encoding.ts";

export interface Message {
  /** The same for each attempt. */
  readonly id: string;
  readonly body: string;
}

/**
 * The headers of a message: its id, the time of the attempt in whole seconds, and for each secret
 * `v1,<base64 of HMAC-SHA256>` over `id.time.body`. A receiver that knows one of the secrets accepts the message.
 */
export function signatureHeaders({ id, body }: Message, nowMs: number, secrets: readonly Uint8Array[]) {
  const timestamp = String(Math.floor(nowMs / 1000));
  const signatures = secrets.map(
    (secret) =>
      `v1,${encodeBase64(createHmac("sha256", secret).update(`${id}.${timestamp}.${body}`).digest())}`,
  );
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": signatures.join(" "),
  };
}
