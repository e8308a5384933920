/** The operations that touch no backup: for operators and load balancers, and in development. */
import { Type } from "@sinclair/typebox";
import { OidcProvider, PublicKey } from "./authorization.ts";
import { object } from "./object.ts";
import type { WireOperation } from "./operation.ts";
import { paths } from "./paths.ts";

export const serviceOperations = {
  health: {
    method: "GET",
    path: paths.health,
    tag: "Service",
    summary: "Whether the process is alive",
    description: "Calls no store.",
    request: null,
    response: Type.Object({
      status: Type.Literal("ok"),
      semver: Type.String(),
      rev: Type.Union([Type.String(), Type.Null()], {
        description: "The revision it was built from, if known.",
      }),
    }),
    authorisedBy: null,
  },
  ready: {
    method: "GET",
    path: paths.ready,
    tag: "Service",
    summary: "Whether requests can be served",
    description:
      "Checks that every store responds, is set up and accepts a write, and that large responses can be " +
      "made; at most once a second. Responds with 503 while the service is shutting down.",
    request: null,
    response: Type.Object({ status: Type.Literal("ok") }),
    authorisedBy: null,
  },
  idToken: {
    method: "POST",
    path: paths.idToken,
    tag: "Development",
    summary: "An id_token for a test account",
    description:
      "Replaces the sign-in with Google or Apple, so that the account flows can be tried without an " +
      "account. It exists in development only, while no provider is configured.",
    request: object({
      provider: OidcProvider,
      publicKey: PublicKey,
      email: Type.String({
        minLength: 1,
        maxLength: 200,
        description: "The address of the account. The same address always gives the same account.",
      }),
    }),
    response: Type.Object({ token: Type.String({ description: "The id_token." }) }),
    authorisedBy: null,
  },
} as const satisfies Readonly<Record<string, WireOperation>>;
