import { Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { decodeBase64Url } from "../../crypto/encoding.ts";
import { memoise } from "../../runtime/memoise.ts";

/**
 * What the client says about a ceremony (WebAuthn L3 §5.8.1), as far as it matters here. `tokenBinding` of older clients
 * does not: browsers no longer implement token binding.
 */
const clientData = memoise(() =>
  TypeCompiler.Compile(
    Type.Object({
      type: Type.String(),
      challenge: Type.String(),
      origin: Type.String(),
      crossOrigin: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
      topOrigin: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    }),
  ),
);

export interface ClientData {
  readonly type: string;
  /** base64url. */
  readonly challenge: string;
  readonly origin: string;
}

/**
 * Reads `clientDataJSON`.
 *
 * @throws Error when it is malformed, or when the ceremony ran in a frame of another origin: the apps embed none.
 */
export function readClientData(clientDataJson: Uint8Array): ClientData {
  const data: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(clientDataJson));
  if (!clientData().Check(data)) throw new Error("not the client data of a WebAuthn ceremony");
  if (data.crossOrigin === true || data.topOrigin != null)
    throw new Error("the ceremony ran inside a frame of another origin");
  return data;
}

/** The bytes of the challenge in `clientDataJSON`; `null` where it has none. Nothing of it has been verified. */
export function challengeInClientData(clientDataJson: Uint8Array): Uint8Array | null {
  try {
    return decodeBase64Url(readClientData(clientDataJson).challenge);
  } catch {
    return null; // the ceremony reports it
  }
}
