/** The members with which a factor authorises a request. */
import { Authorization, SyncAuthorization } from "./authorization.ts";
import { ChallengeToken } from "./challenge.ts";

export const factorProof = { authorization: Authorization, challengeToken: ChallengeToken };
export const syncFactorProof = { authorization: SyncAuthorization, challengeToken: ChallengeToken };
