import { encodeBase64 } from "../base64.ts";
import { BackupClientError } from "../errors.ts";
import type { PasskeyAuthorization } from "../wire.ts";

/**
 * A passkey that stamps a Turnkey activity which carries the challenge, so that one prompt authorises Turnkey and this
 * service. It may be the `existing` factor of `addFactor`.
 */
export interface TurnkeyStampFactor {
  readonly kind: "TURNKEY_STAMP";
  /** What the passkey has stamped, for the request to Turnkey; `null` before that. */
  readonly stamped: StampedActivity | null;
  /** Has an activity stamped that carries these bytes. */
  authorize(message: Uint8Array): Promise<{
    readonly activity: string;
    readonly authorization: PasskeyAuthorization;
  }>;
}

/** The body of a request to Turnkey, and the header that authorises it. */
export interface StampedActivity {
  readonly body: string;
  readonly stamp: TurnkeyStamp;
}

/** A header, as the stampers of Turnkey's SDKs return it. */
export interface TurnkeyStamp {
  readonly stampHeaderName: string;
  /** For a passkey: JSON with `credentialId`, `clientDataJson`, `authenticatorData` and `signature`. */
  readonly stampHeaderValue: string;
}

export interface TurnkeyStampOptions {
  /**
   * Makes the JSON text of an activity of type `ACTIVITY_TYPE_CREATE_API_KEYS_V2`. It has the challenge as
   * `metadata.challenge`, the current time as `timestampMs`, and the organisation of the backup's `TURNKEY` key.
   */
  readonly activity: (challenge: string) => Promise<string> | string;
  /** Stamps this very text with the passkey, such as the `WebauthnStamper` of `@turnkey/webauthn-stamper`. */
  readonly stamper: { stamp(activity: string): Promise<TurnkeyStamp> };
}

export function turnkeyStamp({ activity, stamper }: TurnkeyStampOptions): TurnkeyStampFactor {
  let stamped: StampedActivity | null = null;
  return {
    kind: "TURNKEY_STAMP",
    get stamped() {
      return stamped;
    },
    async authorize(message) {
      const body = await activity(encodeBase64(message));
      const stamp = await stamper.stamp(body);
      stamped = { body, stamp };
      return { activity: body, authorization: { kind: "PASSKEY", credential: assertion(stamp) } };
    },
  };
}

/** What a passkey's stamp is made of, binary members base64url. */
interface WebAuthnStamp {
  readonly credentialId?: string;
  readonly clientDataJson?: string;
  readonly authenticatorData?: string;
  readonly signature?: string;
}

/** The JSON form of WebAuthn L3 §5.1.8. @throws BackupClientError when it is the stamp of an API key, which proves nothing here. */
function assertion({ stampHeaderName, stampHeaderValue }: TurnkeyStamp): object {
  if (stampHeaderName.toLowerCase() !== "x-stamp-webauthn")
    throw new BackupClientError(`${stampHeaderName} is no stamp of a passkey`);
  const stamp: WebAuthnStamp = JSON.parse(stampHeaderValue);
  const { credentialId, clientDataJson, authenticatorData, signature } = stamp;
  return {
    id: credentialId,
    rawId: credentialId,
    type: "public-key",
    clientExtensionResults: {},
    response: { clientDataJSON: clientDataJson, authenticatorData, signature },
  };
}
