/** The passkeys of a device in software, with the PRF extension, as a native module returns them. */
import { createHash } from "node:crypto";
import type { Passkeys } from "../../src/client/index.ts";
import { type AuthenticatorOptions, SoftwareAuthenticator } from "./software-authenticator.ts";

export interface SoftwarePasskeysOptions extends AuthenticatorOptions {
  /** When the secret is returned: with every response, only when the passkey is used, or never. */
  readonly prf?: "always" | "when used" | "never";
  /** How the secret is returned; base64url if not given. */
  readonly secretAs?: (secret: Buffer) => unknown;
}

export interface SoftwarePasskeys extends Passkeys {
  /** The options of every ceremony so far. */
  readonly asked: OptionsOfCeremony[];
}

interface OptionsOfCeremony {
  readonly challenge: string;
  readonly allowCredentials?: readonly { readonly id: string }[];
  readonly extensions?: { readonly prf?: { readonly eval: { readonly first: string } } };
}

export function softwarePasskeys({
  prf = "when used",
  secretAs = (secret) => secret.toString("base64url"),
  ...options
}: SoftwarePasskeysOptions = {}): SoftwarePasskeys {
  const authenticator = new SoftwareAuthenticator({
    rpId: "localhost",
    origin: "http://localhost:8000",
    ...options,
  });
  const asked: OptionsOfCeremony[] = [];

  function results({ extensions }: OptionsOfCeremony, returnsSecret: boolean) {
    const input = extensions?.prf?.eval.first;
    if (input === undefined || prf === "never") return {};
    const secret = createHash("sha256").update(authenticator.credentialId).update(input).digest();
    return {
      prf: { enabled: true, ...(returnsSecret ? { results: { first: secretAs(secret) } } : {}) },
      hmacGetSecret: { output1: "AAAA" },
    };
  }

  return {
    asked,
    async create(publicKey: OptionsOfCeremony) {
      asked.push(publicKey);
      const clientExtensionResults = results(publicKey, prf === "always");
      return authenticator.register({ publicKey }, { clientExtensionResults });
    },
    async get(publicKey: OptionsOfCeremony) {
      asked.push(publicKey);
      return authenticator.assert({ publicKey }, { clientExtensionResults: results(publicKey, true) });
    },
  };
}
