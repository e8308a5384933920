/** What `WebauthnStamper` of `@turnkey/webauthn-stamper` does, with passkeys in software. */

import type { Passkeys, TurnkeyStampOptions } from "../../src/client/index.ts";
import { encodeBase64Url, encodeHex, sha256 } from "../../src/crypto/encoding.ts";

interface Assertion {
  readonly id?: string;
  readonly response?: {
    readonly authenticatorData?: string;
    readonly clientDataJSON?: string;
    readonly signature?: string;
  };
}

export function turnkeyStamper(passkeys: Passkeys): TurnkeyStampOptions["stamper"] {
  return {
    async stamp(activity) {
      const challenge = encodeBase64Url(Buffer.from(encodeHex(sha256(activity)), "ascii"));
      const { id, response }: Assertion = await passkeys.get({ challenge, userVerification: "preferred" });
      const { authenticatorData, clientDataJSON: clientDataJson, signature } = response ?? {};
      return {
        stampHeaderName: "X-Stamp-Webauthn",
        stampHeaderValue: JSON.stringify({ authenticatorData, clientDataJson, credentialId: id, signature }),
      };
    },
  };
}
