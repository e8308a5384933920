import type { RequestOf } from "../../protocol/operations.ts";
import { paths } from "../../protocol/paths.ts";
import { decodeBase64, encodeBase64 } from "../base64.ts";
import type { Context } from "../context.ts";
import type { AccountKey } from "../factors/account-key.ts";
import { keypairChallenge, sendWithProof } from "../proof.ts";
import type { CallOptions } from "../transport/connection.ts";

export async function reset(context: Context, account: AccountKey, options: CallOptions = {}): Promise<void> {
  const { backupAccountId } = account;
  const { challenge, token } = await keypairChallenge(context, "reset", { backupAccountId }, options);
  const body: RequestOf<"reset"> = {
    backupAccountId,
    signature: encodeBase64(await account.sign(decodeBase64(challenge))),
    challengeToken: token,
  };
  await sendWithProof<null>(
    context,
    { path: paths.reset, body, expects: null },
    { tookEffect: async () => null },
    options,
  );
}
