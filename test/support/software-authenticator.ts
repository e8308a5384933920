/** A passkey in software: makes the responses that a device's WebAuthn API returns, right ones and wrong ones. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isoCBOR } from "@simplewebauthn/server/helpers";
import { encodeBase64, encodeBase64Url, encodeHex, sha256 } from "../../src/crypto/encoding.ts";

export type Algorithm = "ES256" | "RS256";
/** How binary members are written: the standard's base64url, other forms of base64, or arrays of byte values. */
export type BinaryEncoding = "base64url" | "padded-base64url" | "base64" | "unpadded-base64" | "bytes";
export type CborValue =
  | number
  | string
  | Uint8Array
  | boolean
  | null
  | CborValue[]
  | Map<string | number, CborValue>;

export interface AuthenticatorOptions {
  readonly algorithm?: Algorithm;
  readonly rpId?: string;
  readonly origin?: string;
  /** The signature counter of the registration; each assertion adds one. `null` never counts. */
  readonly counter?: number | null;
  /** The passkey stays on one device; otherwise it is synchronised. */
  readonly deviceBound?: boolean;
  /** 32 if not given. */
  readonly credentialIdBytes?: number;
  /** That of another passkey; a fresh one if not given. */
  readonly credentialId?: Buffer;
  /** Instead of fresh ones, which take long to make for RSA. */
  readonly keys?: KeyPair;
}

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** What a response says other than it should. */
export interface Tweaks {
  readonly type?: string;
  /** base64url. */
  readonly challenge?: string;
  readonly origin?: string;
  readonly rpId?: string;
  /** More members of the client data. */
  readonly clientData?: Readonly<Record<string, unknown>>;
  /** How the members of the client data are written; `JSON.stringify` if not given. */
  readonly clientDataText?: (members: Readonly<Record<string, unknown>>) => string;
  readonly flags?: {
    readonly up?: boolean;
    readonly uv?: boolean;
    readonly be?: boolean;
    readonly bs?: boolean;
  };
  readonly counter?: number;
  /** CBOR of the outputs of extensions, with the flag that says they are there. */
  readonly extensions?: Uint8Array;
  /** Signs with another key than it says. */
  readonly wrongKey?: boolean;
  readonly encoding?: BinaryEncoding;
  /** Instead of `{}`; `undefined` leaves the member out. */
  readonly clientExtensionResults?: unknown;
  readonly userHandle?: Uint8Array;
}

export interface RegistrationTweaks extends Tweaks {
  /** The attestation statement's format: `none`, `self` (packed without certificates) or any with certificates. */
  readonly attestation?: string;
  /** The algorithm that the statement names, if another than the key's. */
  readonly attestationAlg?: number;
  /** A public key other than the authenticator's, as the members of a COSE_Key or as they are encoded. */
  readonly coseKey?: Map<number | string, CborValue> | Uint8Array;
  readonly transports?: unknown;
}

interface OptionsWithChallenge {
  readonly publicKey: { readonly challenge: string };
}

const AAGUID = Buffer.from("08987058cadc4b81b6e130de50dcbe96", "hex");
const COSE_ALGORITHM = { ES256: -7, RS256: -257 } as const;
const FLAGS = { up: 0x01, uv: 0x04, be: 0x08, bs: 0x10, at: 0x40, ed: 0x80 } as const;

export class SoftwareAuthenticator {
  readonly credentialId: Buffer;
  readonly algorithm: Algorithm;
  readonly #keys: KeyPair;
  readonly #rpId: string;
  readonly #origin: string;
  readonly #deviceBound: boolean;
  #counter: number | null;

  constructor({
    algorithm = "ES256",
    rpId = "backup.example",
    origin = "https://backup.example",
    counter = null,
    deviceBound = false,
    credentialIdBytes = 32,
    credentialId = randomBytes(credentialIdBytes),
    keys = newKeys(algorithm),
  }: AuthenticatorOptions = {}) {
    this.algorithm = algorithm;
    this.credentialId = credentialId;
    this.#keys = keys;
    this.#deviceBound = deviceBound;
    this.#rpId = rpId;
    this.#origin = origin;
    this.#counter = counter;
  }

  /** The signature counter of a registration now, and of the latest assertion; 0 if it never counts. */
  get counter(): number {
    return this.#counter ?? 0;
  }

  /** The response to creation options. */
  register({ publicKey }: OptionsWithChallenge, tweaks: RegistrationTweaks = {}) {
    const clientDataJson = this.#clientData("webauthn.create", publicKey.challenge, tweaks);
    const authenticatorData = this.#authenticatorData(
      this.#counter ?? 0,
      tweaks,
      tweaks.coseKey ?? this.coseKey(),
    );
    const signature = this.#sign(authenticatorData, clientDataJson, tweaks);
    const attestationObject = cbor(
      new Map<string, CborValue>([
        ...attestationStatement(
          tweaks.attestation ?? "none",
          tweaks.attestationAlg ?? COSE_ALGORITHM[this.algorithm],
          signature,
        ),
        ["authData", authenticatorData],
      ]),
    );
    const binary = encoder(tweaks.encoding);
    return this.#response(tweaks, {
      clientDataJSON: binary(clientDataJson),
      attestationObject: binary(attestationObject),
      transports: "transports" in tweaks ? tweaks.transports : ["internal", "hybrid"],
    });
  }

  /** The response to request options. Counts, if the authenticator does. */
  assert({ publicKey }: OptionsWithChallenge, tweaks: Tweaks = {}) {
    if (this.#counter !== null) this.#counter++;
    const clientDataJson = this.#clientData("webauthn.get", publicKey.challenge, tweaks);
    const authenticatorData = this.#authenticatorData(tweaks.counter ?? this.#counter ?? 0, tweaks);
    const signature = this.#sign(authenticatorData, clientDataJson, tweaks);
    const binary = encoder(tweaks.encoding);
    return this.#response(tweaks, {
      clientDataJSON: binary(clientDataJson),
      authenticatorData: binary(authenticatorData),
      signature: binary(signature),
      ...(tweaks.userHandle === undefined ? {} : { userHandle: binary(tweaks.userHandle) }),
    });
  }

  /** An assertion over the hash of a Turnkey activity: its WebAuthn stamp. */
  stamp(activity: string, tweaks: Tweaks = {}) {
    const challenge = encodeBase64Url(Buffer.from(encodeHex(sha256(activity)), "ascii"));
    return this.assert({ publicKey: { challenge } }, tweaks);
  }

  /** The members of the public key as a COSE_Key. */
  coseKey(): Map<number, CborValue> {
    const { x, y, n, e } = this.#keys.publicKey.export({ format: "jwk" });
    const member = (text: string | undefined) => new Uint8Array(Buffer.from(text ?? "", "base64url"));
    return this.algorithm === "ES256"
      ? new Map<number, CborValue>([
          [1, 2],
          [3, COSE_ALGORITHM.ES256],
          [-1, 1],
          [-2, member(x)],
          [-3, member(y)],
        ])
      : new Map<number, CborValue>([
          [1, 3],
          [3, COSE_ALGORITHM.RS256],
          [-1, member(n)],
          [-2, member(e)],
        ]);
  }

  #clientData(type: string, challenge: string, tweaks: Tweaks): Uint8Array {
    const write = tweaks.clientDataText ?? JSON.stringify;
    return Buffer.from(
      write({
        type: tweaks.type ?? type,
        challenge: tweaks.challenge ?? challenge,
        origin: tweaks.origin ?? this.#origin,
        crossOrigin: false,
        ...tweaks.clientData,
      }),
    );
  }

  /** WebAuthn L3 §6.1. */
  #authenticatorData(counter: number, tweaks: Tweaks, coseKey?: RegistrationTweaks["coseKey"]): Uint8Array {
    const { extensions = new Uint8Array() } = tweaks;
    const synced = !this.#deviceBound;
    const [at, ed] = [coseKey !== undefined, extensions.length > 0];
    const set = { up: true, uv: true, be: synced, bs: synced, ...tweaks.flags, at, ed };
    const head = Buffer.alloc(5);
    head[0] = Object.entries(FLAGS).reduce((sum, [name, bit]) => sum | (Reflect.get(set, name) ? bit : 0), 0);
    head.writeUInt32BE(counter, 1);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(this.credentialId.length);
    const key = coseKey === undefined || coseKey instanceof Uint8Array ? coseKey : cbor(coseKey);
    const attested = key === undefined ? [] : [AAGUID, length, this.credentialId, key];
    const parts = [sha256(tweaks.rpId ?? this.#rpId), head, ...attested, extensions];
    return new Uint8Array(Buffer.concat(parts));
  }

  #sign(authenticatorData: Uint8Array, clientDataJson: Uint8Array, { wrongKey = false }: Tweaks): Uint8Array {
    const { privateKey } = wrongKey ? newKeys(this.algorithm) : this.#keys;
    return new Uint8Array(
      sign("sha256", Buffer.concat([authenticatorData, sha256(clientDataJson)]), privateKey),
    );
  }

  #response<T extends object>(tweaks: Tweaks, response: T) {
    const id = encoder(tweaks.encoding)(this.credentialId);
    const extensions = "clientExtensionResults" in tweaks ? tweaks.clientExtensionResults : {};
    return {
      id,
      rawId: id,
      type: "public-key",
      authenticatorAttachment: "platform",
      ...(extensions === undefined ? {} : { clientExtensionResults: extensions }),
      response,
    };
  }
}

function cbor(value: CborValue): Uint8Array<ArrayBuffer> {
  return isoCBOR.encode(value);
}

function attestationStatement(format: string, alg: number, sig: Uint8Array): [string, CborValue][] {
  if (format === "none") return statement("none", []);
  if (format === "self")
    return statement("packed", [
      ["alg", alg],
      ["sig", sig],
    ]);
  return statement(format, [
    ["alg", alg],
    ["sig", sig],
    ["x5c", [new Uint8Array(randomBytes(64))]],
  ]);
}

function statement(format: string, members: [string, CborValue][]): [string, CborValue][] {
  return [
    ["fmt", format],
    ["attStmt", new Map<string, CborValue>(members)],
  ];
}

export function newKeys(algorithm: Algorithm, modulusLength = 2048): KeyPair {
  return algorithm === "ES256"
    ? generateKeyPairSync("ec", { namedCurve: "P-256" })
    : generateKeyPairSync("rsa", { modulusLength });
}

function encoder(encoding: BinaryEncoding = "base64url"): (bytes: Uint8Array) => string | number[] {
  switch (encoding) {
    case "base64url":
      return encodeBase64Url;
    case "padded-base64url":
      return (bytes) => encodeBase64(bytes).replaceAll("+", "-").replaceAll("/", "_");
    case "base64":
      return encodeBase64;
    case "unpadded-base64":
      return (bytes) => encodeBase64(bytes).replace(/=+$/, "");
    case "bytes":
      return (bytes) => [...bytes];
  }
}
