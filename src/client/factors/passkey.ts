import { decodeBase64Url, encodeBase64Url } from "../base64.ts";
import { PrfUnavailableError } from "../errors.ts";
import type { CreationOptions, PasskeyAuthorization, Platform, RequestOptions } from "../wire.ts";
import { browserPasskeys } from "./web-authn.ts";

/** A passkey. The secret of its PRF extension (WebAuthn L3 §10.1.4) stays on the device. */
export interface PasskeyFactor {
  readonly kind: "PASSKEY";
  /** What the request for a registration says of it. */
  readonly naming: {
    readonly name: string;
    readonly displayName: string;
    readonly platform: Platform;
  };
  /**
   * The secret of the last ceremony, 32 bytes, the same each time: it encrypts the user's encryption key. `null` before the
   * first one, and where `prfInput` is `null`.
   */
  readonly prf: Uint8Array<ArrayBuffer> | null;
  /** Makes the passkey. */
  register(options: CreationOptions): Promise<PasskeyAuthorization>;
  /** Uses it. */
  assert(options: RequestOptions): Promise<PasskeyAuthorization>;
}

/** What does the ceremonies. Options and responses are the JSON forms of WebAuthn L3 §5.1.8, binary members base64url. */
export interface Passkeys {
  create(publicKey: object): Promise<object>;
  get(publicKey: object): Promise<object>;
}

export interface PasskeyOptions {
  /** The name of the account that the user sees, such as an e-mail address. Needed to make a passkey. */
  readonly name?: string;
  readonly displayName?: string;
  /** The user's name for the passkey. */
  readonly label?: string;
  /** What the passkey is to be made for: `ANDROID`, the default, one that the device finds by itself; `IOS`. */
  readonly platform?: Platform;
  /** What the secret depends on besides the passkey. Must never change; `null` for no secret. */
  readonly prfInput?: Uint8Array | null;
  /** By default those of the browser; in React Native those of a native module. */
  readonly passkeys?: Passkeys;
}

/** The members of a credential's JSON form that matter here. */
interface Credential {
  readonly id?: string;
  readonly clientExtensionResults?: {
    readonly prf?: { readonly results?: { readonly first?: unknown } | null } | null;
  } | null;
}

const PRF_INPUT = new TextEncoder().encode("backup-service:passkey-secret:v1");

export function passkey({
  name = "Backup",
  displayName = name,
  label,
  platform = "ANDROID",
  prfInput = PRF_INPUT,
  passkeys = browserPasskeys(),
}: PasskeyOptions = {}): PasskeyFactor {
  let prf: Uint8Array<ArrayBuffer> | null = null;

  const extensions =
    prfInput === null ? {} : { prf: { eval: { first: encodeBase64Url(new Uint8Array(prfInput)) } } };
  const withPrf = <T extends { readonly extensions: object }>(publicKey: T) => ({
    ...publicKey,
    extensions: { ...publicKey.extensions, ...extensions },
  });

  return {
    kind: "PASSKEY",
    naming: { name, displayName, platform },
    get prf() {
      return prf;
    },
    async register({ publicKey }) {
      const credential: Credential = await passkeys.create(withPrf(publicKey));
      prf = secretOf(credential);
      if (prf === null && prfInput !== null) {
        // many devices return the secret only when the passkey is used; this response is not sent, so any challenge will do
        const allowCredentials = [{ type: "public-key", id: credential.id }];
        const challenge = encodeBase64Url(new Uint8Array(32));
        const use = { challenge, rpId: publicKey.rp.id, allowCredentials, userVerification: "required" };
        prf = secretOf(await passkeys.get(withPrf({ ...use, extensions: {} })));
        if (prf === null) throw new PrfUnavailableError("the passkey has no PRF extension");
      }
      return {
        kind: "PASSKEY",
        credential: withoutSecrets(credential),
        ...(label === undefined ? {} : { label }),
      };
    },
    async assert({ publicKey }) {
      const credential: Credential = await passkeys.get(withPrf(publicKey));
      prf = secretOf(credential);
      if (prf === null && prfInput !== null)
        throw new PrfUnavailableError("the passkey has no PRF extension");
      return { kind: "PASSKEY", credential: withoutSecrets(credential) };
    },
  };
}

/** Native modules return the secret as base64url, as bytes or as an array of numbers. */
function secretOf({ clientExtensionResults }: Credential): Uint8Array<ArrayBuffer> | null {
  const first = clientExtensionResults?.prf?.results?.first;
  if (typeof first === "string") return decodeBase64Url(first);
  if (first instanceof ArrayBuffer) return new Uint8Array(first);
  if (ArrayBuffer.isView(first))
    return new Uint8Array(new Uint8Array(first.buffer, first.byteOffset, first.byteLength));
  return Array.isArray(first) ? Uint8Array.from(first) : null;
}

/** The credential as it may leave the device. */
function withoutSecrets(credential: Credential): object {
  const {
    prf,
    hmacGetSecret: _,
    ...others
  }: { prf?: unknown; hmacGetSecret?: unknown } = credential.clientExtensionResults ?? {};
  const { results: _results, ...rest }: { results?: unknown } = prf ?? {};
  return {
    ...credential,
    clientExtensionResults: { ...others, ...(prf == null ? {} : { prf: rest }) },
  };
}
