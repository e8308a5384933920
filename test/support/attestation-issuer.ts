import type { AttestationConfig } from "../../src/config/attestation.ts";
import { requestHash } from "../../src/proofs/app-attestation/request-hash.ts";
import type { AttestedRequest } from "../../src/protocol/attested-request.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { JwksEndpoint, type SigningOptions } from "./jwks-endpoint.ts";

export interface AttestationOptions extends SigningOptions {
  /** Claims other than the usual ones; `undefined` removes one. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

const ISSUER = "attestation.worldcoin.org";
const AUDIENCE = "toolsforhumanity.com";

/** An attestation gateway: publishes keys and vouches for requests at the clock's time. */
export class AttestationIssuer implements AsyncDisposable {
  readonly jwks = new JwksEndpoint("ES256");
  readonly #clock: Pick<Clock, "nowMs">;

  constructor(clock: Pick<Clock, "nowMs">) {
    this.#clock = clock;
  }

  /** The variables that make a service ask for this gateway's word. */
  get env() {
    return { ATTESTATION: "enforce", ATTESTATION_GATEWAY_URL: this.jwks.url };
  }

  get config(): AttestationConfig {
    const jwksUrl = `${this.jwks.url}/.well-known/jwks.json`;
    return { mode: "enforce", jwksUrl, issuer: ISSUER, audience: AUDIENCE, bypassToken: null };
  }

  /** The value of the header `attestation-token` for a request. */
  token(request: AttestedRequest, { claims = {}, ...signing }: AttestationOptions = {}): string {
    const nowS = Math.floor(this.#clock.nowMs() / 1000);
    return this.jwks.sign(
      {
        iss: ISSUER,
        aud: AUDIENCE,
        iat: nowS,
        exp: nowS + 300,
        pass: true,
        out: "pass",
        jti: requestHash(request),
        ...claims,
      },
      signing,
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.jwks[Symbol.asyncDispose]();
  }
}
