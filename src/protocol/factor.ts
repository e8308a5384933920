/** How a request identifies a factor. */
import { type Static, Type } from "@sinclair/typebox";
import { text } from "./text.ts";

/** Main factors recover and manage a backup, sync factors update it. */
export const Scope = Type.Union([Type.Literal("MAIN"), Type.Literal("SYNC")]);
export type Scope = Static<typeof Scope>;

export const FactorKind = Type.Union([
  Type.Literal("PASSKEY"),
  Type.Literal("OIDC_ACCOUNT"),
  Type.Literal("EC_KEYPAIR"),
]);

export const FactorId = text({ description: "The `id` of a factor in the metadata." });
