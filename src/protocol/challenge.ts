/** Challenges and their tokens, as the service issues them. */
import { type Static, Type } from "@sinclair/typebox";
import { boundedText, KIB } from "./text.ts";
import { CreationOptions, RequestOptions } from "./webauthn.ts";

export const ChallengeToken = boundedText(32 * KIB, {
  description: "The token that came with the challenge, unchanged.",
});

export const Challenge = Type.String({
  pattern: "^[A-Za-z0-9+/]{43}=$",
  description: "Base64 of 32 random bytes. The signature is over the bytes, not over their base64.",
});

export const KeypairChallenge = Type.Object({ challenge: Challenge, token: ChallengeToken });
export type KeypairChallenge = Static<typeof KeypairChallenge>;

export const PasskeyChallenge = Type.Object({ challenge: RequestOptions, token: ChallengeToken });

/** The challenge that the key of the new backup's account id signs. */
const AccountChallenge = {
  backupAccountChallenge: Type.String({
    description: "Base64 of 32 random bytes for the secp256k1 key of the account id to sign.",
  }),
  backupAccountChallengeToken: ChallengeToken,
};
export const KeypairCreateChallenge = Type.Object({ ...KeypairChallenge.properties, ...AccountChallenge });
export const PasskeyCreateChallenge = Type.Object({
  challenge: CreationOptions,
  token: ChallengeToken,
  ...AccountChallenge,
});
