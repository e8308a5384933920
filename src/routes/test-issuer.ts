import { Elysia } from "elysia";
import { ServiceError } from "../errors.ts";
import { jsonBody } from "../http/body/body.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import type { Reply } from "../http/response/reply.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";

/** In development only: id_tokens for test accounts. */
const { idToken: wire } = operations;

export function testIssuer({ config, testIssuer: issuer }: Services) {
  const app = new Elysia({ name: "test-issuer" });
  if (issuer === null) return app;
  return app.post(
    wire.path,
    async ({ body: { provider, publicKey, email } }): Reply<typeof wire> => {
      const configured = provider === "GOOGLE" ? config.oidc.google : config.oidc.apple;
      if (configured === null) throw new ServiceError("not_found", "The provider is not configured");
      const { issuer: name, clientIds } = configured;
      return { token: await issuer.idToken({ issuer: name, audience: clientIds[0], publicKey, email }) };
    },
    {
      ...jsonBody(wire.request),
      detail: describeOperation(wire, ["not_found"]),
    },
  );
}
