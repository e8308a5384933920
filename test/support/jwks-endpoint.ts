/** An issuer's key set over HTTP, and the private keys to sign with. */
import {
  constants,
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  type SignKeyObjectInput,
  sign,
} from "node:crypto";
import { encodeBase64Url } from "../../src/crypto/encoding.ts";

/** How a test signs a token: by the algorithm the header names, also those that must be refused. */
export type SigningAlgorithm = "RS256" | "RS512" | "PS256" | "ES256" | "HS256" | "none";

export interface SigningOptions {
  readonly algorithm?: SigningAlgorithm;
  /** More members of the header; `undefined` removes one. */
  readonly header?: Readonly<Record<string, unknown>>;
  /** Signs with a key that the issuer does not publish, but names the published one. */
  readonly wrongKey?: boolean;
}

interface IssuerKey {
  readonly kid: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export class JwksEndpoint implements AsyncDisposable {
  /** What the endpoint answers: keys, an error, something that is no key set, or nothing at all. */
  mode: "up" | "down" | "garbage" | "silent" = "up";
  /** How many requests there were. */
  requests = 0;
  #key: IssuerKey;
  readonly #algorithm: "RS256" | "ES256";
  readonly #server: Bun.Server<undefined>;

  constructor(algorithm: "RS256" | "ES256") {
    this.#algorithm = algorithm;
    this.#key = newKey(algorithm);
    this.#server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => this.#answer() });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  get kid(): string {
    return this.#key.kid;
  }

  /** Publishes a new key instead of the old one. */
  rotate(): void {
    this.#key = newKey(this.#algorithm);
  }

  /** A signed token with these claims. */
  sign(
    claims: Readonly<Record<string, unknown>>,
    { algorithm = this.#algorithm, header = {}, wrongKey = false }: SigningOptions = {},
  ): string {
    const key = wrongKey ? newKey(this.#algorithm) : this.#key;
    const encode = (value: unknown) => encodeBase64Url(Buffer.from(JSON.stringify(value)));
    const signingInput = `${encode({ alg: algorithm, kid: this.#key.kid, typ: "JWT", ...header })}.${encode(claims)}`;
    return `${signingInput}.${encodeBase64Url(signature(algorithm, signingInput, key))}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }

  #answer(): Response | Promise<Response> {
    this.requests++;
    const { kid, publicKey } = this.#key;
    const jwk = { ...publicKey.export({ format: "jwk" }), kid, use: "sig", alg: this.#algorithm };
    switch (this.mode) {
      case "up":
        return Response.json({ keys: [jwk] });
      case "down":
        return new Response("maintenance", { status: 500 });
      case "garbage":
        return Response.json({ keys: "none today" });
      case "silent":
        return new Promise<never>(() => {});
    }
  }
}

function newKey(algorithm: "RS256" | "ES256"): IssuerKey {
  const pair =
    algorithm === "RS256"
      ? generateKeyPairSync("rsa", { modulusLength: 2048 })
      : generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { kid: randomUUID(), ...pair };
}

/** HS256 takes the public key for the secret: the classic confusion of algorithms. */
function signature(
  algorithm: SigningAlgorithm,
  input: string,
  { publicKey, privateKey }: IssuerKey,
): Uint8Array {
  const data = Buffer.from(input);
  const signed = (hash: string, options: Partial<SignKeyObjectInput> = {}) =>
    sign(hash, data, { key: privateKey, dsaEncoding: "ieee-p1363", ...options });
  switch (algorithm) {
    case "none":
      return new Uint8Array();
    case "HS256":
      return createHmac("sha256", publicKey.export({ format: "pem", type: "spki" }))
        .update(data)
        .digest();
    case "RS256":
    case "ES256":
      return signed("sha256");
    case "RS512":
      return signed("sha512");
    case "PS256":
      return signed("sha256", { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
  }
}
