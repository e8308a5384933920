import type { KeypairSolvable } from "../protocol/challenge-operations.ts";
import type { ApiClient, Bound } from "./api-client.ts";
import type { FactorKeypair } from "./factor-keypair.ts";

/** `authorization` and `challengeToken` of a request: the keypair solves a challenge for the operation. */
export async function keypairProof<Name extends KeypairSolvable>(
  client: ApiClient,
  operation: Name,
  keypair: FactorKeypair,
  ...bound: Bound<Name>
) {
  const { challenge, token } = (await client.keypairChallenge<KeypairSolvable>(operation, ...bound)).ok();
  return { authorization: await keypair.authorize(challenge), challengeToken: token };
}
