/** The ceremonies of a browser, in the JSON forms of WebAuthn L3 §5.1.8, which not every browser converts by itself. */
import { decodeBase64Url, encodeBase64Url } from "../base64.ts";
import { BackupClientError } from "../errors.ts";
import type { Passkeys } from "./passkey.ts";

/** What is used of `navigator.credentials`. */
interface CredentialsContainer {
  create(options: object): Promise<PublicKeyCredential | null>;
  get(options: object): Promise<PublicKeyCredential | null>;
}

interface PublicKeyCredential {
  readonly id: string;
  readonly rawId: ArrayBuffer;
  readonly type: string;
  readonly authenticatorAttachment?: string | null;
  readonly response: AuthenticatorResponse;
  getClientExtensionResults(): object;
}

/** That of a registration or of an assertion. */
interface AuthenticatorResponse {
  readonly clientDataJSON: ArrayBuffer;
  readonly attestationObject?: ArrayBuffer;
  readonly authenticatorData?: ArrayBuffer;
  readonly signature?: ArrayBuffer;
  readonly userHandle?: ArrayBuffer | null;
  getTransports?(): readonly string[];
}

/** The members of options that are bytes. */
interface BinaryMembers {
  readonly challenge?: string;
  readonly user?: { readonly id: string };
  readonly allowCredentials?: readonly { readonly id: string }[];
  readonly extensions?: { readonly prf?: { readonly eval: { readonly first: string } } };
}

/** The passkeys of the browser. Their user is asked at once; a form that offers passkeys by itself needs another one. */
export function browserPasskeys(): Passkeys {
  return {
    create: async (publicKey) => json(await credentials().create({ publicKey: withBytes(publicKey) })),
    get: async (publicKey) => json(await credentials().get({ publicKey: withBytes(publicKey) })),
  };
}

function credentials(): CredentialsContainer {
  const navigator: object = Reflect.get(globalThis, "navigator") ?? {};
  const container: CredentialsContainer | undefined = Reflect.get(navigator, "credentials");
  if (container === undefined)
    throw new BackupClientError("there is no navigator.credentials: use a secure origin, or pass `passkeys`");
  return container;
}

function withBytes(options: BinaryMembers): object {
  const { challenge, user, allowCredentials, extensions } = options;
  const prf = extensions?.prf;
  return {
    ...options,
    ...(challenge === undefined ? {} : { challenge: decodeBase64Url(challenge) }),
    ...(user === undefined ? {} : { user: { ...user, id: decodeBase64Url(user.id) } }),
    ...(allowCredentials === undefined
      ? {}
      : {
          allowCredentials: allowCredentials.map((allowed) => ({
            ...allowed,
            id: decodeBase64Url(allowed.id),
          })),
        }),
    ...(prf === undefined
      ? {}
      : { extensions: { ...extensions, prf: { eval: { first: decodeBase64Url(prf.eval.first) } } } }),
  };
}

function json(credential: PublicKeyCredential | null): object {
  if (credential === null) throw new BackupClientError("the browser returned no credential");
  const { id, rawId, type, authenticatorAttachment, response } = credential;
  return {
    id,
    rawId: text(rawId),
    type,
    ...(authenticatorAttachment == null ? {} : { authenticatorAttachment }),
    clientExtensionResults: credential.getClientExtensionResults(),
    response: {
      clientDataJSON: text(response.clientDataJSON),
      ...(response.attestationObject === undefined
        ? {}
        : {
            attestationObject: text(response.attestationObject),
            transports: response.getTransports?.() ?? [],
          }),
      ...(response.authenticatorData === undefined || response.signature === undefined
        ? {}
        : { authenticatorData: text(response.authenticatorData), signature: text(response.signature) }),
      ...(response.userHandle == null ? {} : { userHandle: text(response.userHandle) }),
    },
  };
}

function text(bytes: ArrayBuffer): string {
  return encodeBase64Url(new Uint8Array(bytes));
}
