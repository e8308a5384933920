import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ServiceError } from "../errors.ts";
import { jsonBody } from "../http/body.ts";
import { operation } from "../http/openapi.ts";
import { object, PublicKey, type Reply } from "../http/schemas.ts";
import type { Services } from "../services.ts";

const IdTokenRequest = object({
  provider: Type.Union([Type.Literal("GOOGLE"), Type.Literal("APPLE")]),
  publicKey: PublicKey,
  email: Type.String({
    minLength: 1,
    maxLength: 200,
    description: "Who signs in: the same address is always the same account.",
    example: "ada@example.com",
  }),
});

export const IdTokenResponse = Type.Object({ token: Type.String({ description: "The id_token." }) });

/** In development only: id_tokens for accounts that exist nowhere. */
export function testIssuer({ config, testIssuer: issuer }: Services) {
  const app = new Elysia({ name: "test-issuer" });
  if (issuer === null) return app;
  return app.post(
    "/dev/id-token",
    async ({ body: { provider, publicKey, email } }): Reply<typeof IdTokenResponse> => {
      const configured = provider === "GOOGLE" ? config.oidc.google : config.oidc.apple;
      if (configured === null) throw new ServiceError("not_found", "The provider is not configured");
      const { issuer: name, clientIds } = configured;
      return { token: await issuer.idToken({ issuer: name, audience: clientIds[0], publicKey, email }) };
    },
    {
      ...jsonBody(IdTokenRequest),
      detail: operation({
        tag: "Development",
        summary: "An id_token for a made-up account",
        description:
          "Stands in for the sign-in with Google or Apple, so that the account flows can be tried without an account " +
          "anywhere. It exists in development only, while no provider is configured.",
        response: IdTokenResponse,
        errors: ["not_found"],
      }),
    },
  );
}
