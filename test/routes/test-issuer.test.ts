import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../src/config/config.ts";
import { ConfigError } from "../../src/config/config-error.ts";
import { idToken } from "../../src/protocol/examples/id-token.ts";
import { DRIVERS } from "../drivers.ts";
import { play } from "../support/example.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { createPayloadOf, newAccount, newFactorUser, proven, recoveredBy } from "../support/factors.ts";
import { OidcIssuer } from "../support/oidc-issuer.ts";
import { TEST_CHALLENGE_TOKEN_KEYS } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { sharedService } from "../support/shared-service.ts";
import { jsonRequestContract, long } from "./requests.ts";

const DEVELOPMENT = { APP_ENV: "development", LOG_FORMAT: "json" };

for (const driver of DRIVERS)
  describe(`the test issuer (${driver.name})`, () => {
    test("answers as the API reference shows", () =>
      play(driver, [idToken], { isStored: false, env: DEVELOPMENT }));

    const service = sharedService(driver, { env: DEVELOPMENT });
    const tokenFor = async (provider: string, publicKey: string, email: string) =>
      (await service().client.idToken({ provider, publicKey, email })).ok().token;
    /** An account whose id_tokens the service itself issues. */
    const account = async (provider: "GOOGLE" | "APPLE", email: string) => {
      await using stranger = new OidcIssuer(service().clock);
      const keypair = createFactorKeypair();
      const token = await tokenFor(provider, keypair.publicKey, email);
      const given = newAccount(provider, stranger);
      return {
        ...given,
        prove: (challenge: Parameters<typeof given.prove>[0]) =>
          given.authorize(challenge, { keypair, token }),
      };
    };

    for (const provider of ["GOOGLE", "APPLE"] as const)
      test(`issues an id_token of ${provider} for any address, of the same account each time`, async () => {
        const { client } = service();
        const email = `${provider.toLowerCase()}@example.com`;
        const first = await account(provider, email);
        const user = newFactorUser(first);
        (await client.create(await createPayloadOf(client, user, first.prove), user.backup)).ok();
        const { metadata } = await recoveredBy(client, await account(provider, email));
        expect(metadata.id).toBe(user.account.backupAccountId);
        expect(metadata.factors[0]?.kind).toMatchObject({
          account: { kind: provider, maskedEmail: `${email.slice(0, 2)}***@example.com` },
        });
        const other = await proven(client, "retrieve", await account(provider, `x${email}`));
        expect((await client.retrieve(other)).code()).toBe("backup_untraceable");
      });

    test("is bound to the key, the provider and the time like a real one", async () => {
      const { client, clock } = service();
      const google = await account("GOOGLE", "ada@example.com");
      const { publicKey } = createFactorKeypair();
      const token = await tokenFor("GOOGLE", publicKey, "ada@example.com");
      const stolen = {
        ...google,
        prove: (challenge: Parameters<typeof google.prove>[0]) => google.authorize(challenge, { token }),
      };
      expect((await client.retrieve(await proven(client, "retrieve", stolen))).code()).toBe(
        "oidc_token_invalid_nonce",
      );
      const apple = newAccount("APPLE", await disposed());
      const asApple = {
        ...apple,
        prove: (challenge: Parameters<typeof google.prove>[0]) => apple.authorize(challenge, { token }),
      };
      expect((await client.retrieve(await proven(client, "retrieve", asApple))).code()).toBe(
        "oidc_token_verification_error",
      );
      clock.advance(5 * 60_000 + 1_000);
      const late = await proven(client, "retrieve", google);
      expect((await client.retrieve(late)).code()).toBe("oidc_token_verification_error");
    });

    test("does not make the service trust other issuers", async () => {
      const { client } = service();
      await using stranger = new OidcIssuer(service().clock);
      const answer = await client.retrieve(await proven(client, "retrieve", newAccount("GOOGLE", stranger)));
      expect(answer.code()).toBe("oidc_token_verification_error");
    });

    test("needs a P-256 key", async () => {
      for (const publicKey of ["", "AAAA", createFactorKeypair().publicKey.slice(0, -4)]) {
        const answer = await service().client.idToken({ provider: "GOOGLE", publicKey, email: "a@b.c" });
        expect([answer.status, answer.code()]).toEqual([400, "invalid_payload"]);
      }
    });

    jsonRequestContract(
      service,
      "/dev/id-token",
      async () => ({
        provider: "APPLE",
        publicKey: createFactorKeypair().publicKey,
        email: "ada@example.com",
      }),
      [
        ["without provider", { provider: undefined }, "/provider"],
        ["of an unknown provider", { provider: "META" }, "/provider"],
        ["without publicKey", { publicKey: undefined }, "/publicKey"],
        ["without email", { email: undefined }, "/email"],
        ["with an empty email", { email: "" }, "/email"],
        ["with an email over 200 characters", { email: long(201) }, "/email"],
      ],
    );

    /** An issuer of nobody: its tokens are not looked at. */
    async function disposed(): Promise<OidcIssuer> {
      const issuer = new OidcIssuer(new SettableClock());
      await issuer[Symbol.asyncDispose]();
      return issuer;
    }
  });

for (const driver of DRIVERS)
  for (const [name, env] of [
    ["outside development", {}],
    ["in development with a provider configured", { ...DEVELOPMENT, GOOGLE_CLIENT_ID: "client" }],
    ["in development when switched off", { ...DEVELOPMENT, OIDC_TEST_ISSUER: "false" }],
  ] as const)
    describe(`the test issuer ${name} (${driver.name})`, () => {
      const service = sharedService(driver, { env });

      test("is not there", async () => {
        const { client } = service();
        const { publicKey } = createFactorKeypair();
        const answer = await client.idToken({ provider: "GOOGLE", publicKey, email: "ada@example.com" });
        expect([answer.status, answer.code()]).toEqual([404, "not_found"]);
        const reference = await (await fetch(`${service().url}/openapi.json`)).text();
        expect(reference).not.toContain("id-token");
      });
    });

describe("the configuration", () => {
  const production = {
    TRUSTED_PROXY_HOPS: "0",
    CHALLENGE_TOKEN_KEYS: TEST_CHALLENGE_TOKEN_KEYS,
    STORAGE_DRIVER: "local",
    WEBAUTHN_RP_ID: "backup.example",
    WEBAUTHN_ORIGINS: "https://backup.example",
    ATTESTATION_GATEWAY_URL: "https://gateway.example",
  };
  const problemsOf = (env: Readonly<Record<string, string>>): readonly string[] => {
    try {
      loadConfig(env);
      return [];
    } catch (error) {
      if (error instanceof ConfigError) return error.problems;
      throw error;
    }
  };

  test.each(["production", "staging"])("of %s knows no test issuer, and refuses one", (environment) => {
    const env = { ...production, APP_ENV: environment };
    expect(loadConfig(env).oidc).toEqual({ testIssuer: false, google: null, apple: null });
    const problems = problemsOf({ ...env, OIDC_TEST_ISSUER: "true" });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain("OIDC_TEST_ISSUER is for development only");
  });

  test("of development has one unless a provider is configured, and refuses both", () => {
    expect(loadConfig({ APP_ENV: "development" }).oidc.testIssuer).toBe(true);
    expect(loadConfig({ APP_ENV: "development", APPLE_CLIENT_IDS: "a" }).oidc.testIssuer).toBe(false);
    const both = { APP_ENV: "development", GOOGLE_CLIENT_ID: "g", OIDC_TEST_ISSUER: "true" };
    expect(problemsOf(both)).toHaveLength(1);
  });
});
