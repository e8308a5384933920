/** What a main factor does with its proof: the two operations that need nothing else. */
import type { ApiClient, RequestBody } from "../support/api-client.ts";
import { type ChallengeValue, type MainOperation, type Passkey, proven } from "../support/factors.ts";
import type { Tweaks } from "../support/software-authenticator.ts";

export const MAIN_OPERATIONS: readonly MainOperation[] = ["retrieve", "verify-factor"];

/** Sends a request of one of them. */
export function sendProven(client: ApiClient, operation: MainOperation, body: RequestBody) {
  return operation === "retrieve" ? client.retrieve(body) : client.verifyFactor(body);
}

/** Has a passkey solve a fresh challenge of one of them, and sends that. */
export async function sendPasskeyProof(
  client: ApiClient,
  operation: MainOperation,
  passkey: Passkey,
  tweaks: Tweaks = {},
) {
  const prove = (challenge: ChallengeValue) => passkey.proveWith(challenge, tweaks);
  const proof = await proven(client, operation, { challengeType: "passkey", prove });
  return sendProven(client, operation, proof);
}
