import { createAccountKeypair } from "../support/account-keypair.ts";
import type { RequestBody } from "../support/api-client.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { type ChallengeValue, createChallenge } from "../support/factors.ts";
import type { TestService } from "../support/service.ts";
import { randomBytes } from "../support/users.ts";
import type { Context } from "./table.ts";

type ChallengeType = "passkey" | "keypair";

export interface Issued {
  readonly challenge: ChallengeValue;
  readonly token: string;
}

/** A challenge of an operation, from its own endpoint where it has one for the type. */
export async function challengeFor(
  service: TestService,
  context: Context,
  type: ChallengeType,
  bound: RequestBody = {
    factorId: "any",
    versionId: "any",
    backupId: "any",
    backupAccountId: createAccountKeypair().backupAccountId,
  },
): Promise<Issued> {
  const { client } = service;
  if (context === "create") return createChallenge(client, type);
  if (context === "add-factor" || context === "add-factor-new") {
    const { existing, added } = await additionChallenges(service, type);
    return context === "add-factor" ? existing : added;
  }
  if (type === "passkey") {
    if (context === "retrieve" || context === "verify-factor" || context === "undelete")
      return (await client.passkeyChallenge(context, bound)).ok();
    return challengeOfType(service, context, type);
  }
  if (context === "backup-account") {
    const issued = await createChallenge(client, "keypair");
    return { challenge: issued.backupAccountChallenge, token: issued.backupAccountChallengeToken };
  }
  return (await client.keypairChallenge(context, bound)).ok();
}

/** A challenge that no endpoint hands out. */
export async function challengeOfType(
  { services }: TestService,
  operation: Context,
  type: ChallengeType,
  bindings: Readonly<Record<string, string>> = {},
): Promise<Issued> {
  const bytes = randomBytes(32);
  const token = await services.challengeTokens.issue(type, bytes, { operation, bindings });
  return { challenge: Buffer.from(bytes).toString("base64"), token };
}

/** The two challenges of add-factor, both for passkeys or both for keypairs. */
async function additionChallenges({ client }: TestService, type: ChallengeType) {
  const { publicKey } = createFactorKeypair();
  const request =
    type === "passkey"
      ? {
          newFactor: { kind: "PASSKEY_REGISTRATION", platform: "ANDROID" },
          existingFactorKind: "PASSKEY_ASSERTION",
        }
      : { newFactor: { kind: "EC_KEYPAIR", publicKey }, existingFactorKind: "EC_KEYPAIR" };
  const issued = (await client.addFactorChallenge(request)).ok();
  return {
    existing: { challenge: issued.existingFactorChallenge, token: issued.existingFactorToken },
    added: { challenge: issued.newFactorChallenge, token: issued.newFactorToken },
  };
}
