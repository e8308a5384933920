/** What the campaigns run under: main factors of every kind, app attestation enforced, and limits on. */
import type { Callable, ResponseTo } from "../../src/client/exchange.ts";
import type { WireOperation } from "../../src/protocol/operation.ts";
import { operations } from "../../src/protocol/operations.ts";
import { serviceOperations } from "../../src/protocol/service-operations.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { type ApiClient, createApiClient, type RequestBody } from "./api-client.ts";
import { type AppName, appsEnv, TWO_APPS } from "./apps.ts";
import { AttestationIssuer } from "./attestation-issuer.ts";
import { type MainFactor, newAccount, newKeypair, newPasskey } from "./factors.ts";
import { OidcIssuer } from "./oidc-issuer.ts";

/** The kinds of main factors, as far as the service treats them differently. */
export const MAIN_KINDS = [
  "keypair",
  "passkey that counts",
  "synchronised passkey that counts",
  "passkey that does not count",
  "passkey that stamps",
  "Google account",
  "Apple account",
] as const;
export type MainKind = (typeof MAIN_KINDS)[number];

/** What changes nothing, not even a nonce. */
const CHANGES_NOTHING: readonly string[] = [
  "addFactorChallenge",
  "backupStatus",
  ...Object.keys(serviceOperations),
];

/** The paths of all other operations. Every campaign must play each of them. */
export const CHANGING: readonly string[] = Object.entries(operations)
  .filter(([name]) => !CHANGES_NOTHING.includes(name))
  .map(([, { path }]) => path);

export interface CampaignClientOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Whose client it is, where the service has {@link CampaignConditions.envOfApps}. */
  readonly app?: AppName;
  /** Gets the paths of requests that succeed; those of all other clients are in {@link CampaignConditions.played}. */
  readonly played?: Set<string>;
}

/** The issuers of accounts and app attestations that a service trusts, and the clients that they serve. */
export class CampaignConditions implements AsyncDisposable {
  /** The paths of requests that have succeeded. */
  readonly played = new Set<string>();
  readonly issuer: OidcIssuer;
  readonly #gateway: AttestationIssuer;
  #addresses = 0;
  #accounts = 0;

  /** @param clock that of the service. */
  constructor(clock: Pick<Clock, "nowMs">) {
    this.#gateway = new AttestationIssuer(clock);
    this.issuer = new OidcIssuer(clock);
  }

  /** The variables of a service. The limits are those that it has by itself. */
  get env(): Readonly<Record<string, string>> {
    return {
      ...this.issuer.env,
      ...this.#gateway.env,
      RATE_LIMITS: "true",
      TRUSTED_PROXY_HOPS: "1",
    };
  }

  /** As {@link env}, for a service with two apps. They trust the same issuers, and serve the same origins. */
  get envOfApps(): Readonly<Record<string, string>> {
    return { ...this.env, ...appsEnv(TWO_APPS) };
  }

  /** A client with an address of its own, whose requests are attested. */
  newClient(url: string, { headers = {}, app, played = this.played }: CampaignClientOptions = {}): ApiClient {
    const n = this.#addresses++;
    const address = `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
    const host = TWO_APPS.find(({ name }) => name === app)?.hosts[0];
    const client = createApiClient({
      url,
      headers: { ...headers, "x-forwarded-for": address, ...(host && { "x-forwarded-host": host }) },
      onExchange({ path, status }) {
        if (status < 300) played.add(path);
      },
    });
    return attested(client, this.#gateway);
  }

  /** A main factor that is nowhere yet. */
  newMain(kind: MainKind): MainFactor {
    switch (kind) {
      case "keypair":
        return newKeypair();
      case "passkey that counts":
        return newPasskey({ counter: 7, deviceBound: true });
      case "synchronised passkey that counts":
        return newPasskey({ counter: 7 });
      case "passkey that does not count":
        return newPasskey({ deviceBound: true });
      case "passkey that stamps":
        return { ...newPasskey(), existingKind: "PASSKEY" };
      case "Google account":
        return this.#newAccount("GOOGLE");
      case "Apple account":
        return this.#newAccount("APPLE");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gateway[Symbol.asyncDispose]();
    await this.issuer[Symbol.asyncDispose]();
  }

  #newAccount(provider: "GOOGLE" | "APPLE"): MainFactor {
    const shown = (this.#accounts++ % 36 ** 2).toString(36).padStart(2, "0"); // the rest of the address is masked
    const email = `${shown}-${crypto.randomUUID()}@mail.example.com`;
    return newAccount(provider, this.issuer, { sub: `subject-${crypto.randomUUID()}`, email });
  }
}

/** A client whose requests have an attestation where the operation asks for one. */
function attested(client: ApiClient, gateway: AttestationIssuer): ApiClient {
  function sending<Operation extends Callable & WireOperation>(operation: Operation) {
    const { method, path } = operation;
    return (body?: RequestBody): Promise<ResponseTo<Operation>> => {
      const text = JSON.stringify(body);
      const headers = {
        "content-type": "application/json",
        "attestation-token": gateway.token({ method, path, body: text }),
      };
      return client.exchange(operation, { headers, body: text });
    };
  }
  return {
    ...client,
    retrieve: sending(operations.retrieve),
    verifyFactor: sending(operations.verifyFactor),
    undelete: sending(operations.undelete),
    deleteFactor: sending(operations.deleteFactor),
  };
}
