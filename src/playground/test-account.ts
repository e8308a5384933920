/** Accounts of the service's test issuer, which stands in for Google and Apple in development. */
import { type AccountFactor, idToken, keypair, type OidcProvider, type Transport } from "../client/index.ts";
import { paths } from "../protocol/paths.ts";
import { type RecordSignature, recordedKeypair } from "./factors.ts";
import { PlaygroundError } from "./failure.ts";

/** An account of one address, which signs in without asking anybody. */
export function testAccount(
  provider: OidcProvider,
  email: string,
  transport: Transport,
  record: RecordSignature,
): AccountFactor {
  return idToken({
    provider,
    createKeypair: async () => recordedKeypair(await keypair(), "The key of the sign-in", record),
    async signIn(_nonce, publicKey) {
      const { status, text } = await transport({
        url: location.origin + paths.idToken,
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ provider, publicKey, email }),
        signal: new AbortController().signal,
      });
      if (status !== 200) throw new PlaygroundError(`the test issuer responded with status ${status}`);
      const { token }: { token: string } = JSON.parse(text);
      return token;
    },
  });
}
