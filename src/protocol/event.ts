/** The security log of a backup. */
import { type Static, Type } from "@sinclair/typebox";
import { UUID } from "./backup.ts";
import { FactorKind, Scope } from "./factor.ts";

export const EVENT_KINDS = [
  "CREATED",
  "RECOVERED",
  "MAIN_FACTOR_ADDED",
  "MAIN_FACTOR_REMOVED",
  "SYNC_FACTOR_ADDED",
  "SYNC_FACTOR_REPLACED",
  "SYNC_FACTOR_REMOVED",
  "ENCRYPTION_KEY_ADDED",
  "ENCRYPTION_KEY_REMOVED",
  "VERSION_RESTORED",
  "DELETED",
  "UNDELETED",
  "RESET",
  "SIGNATURE_COUNTER_WENT_BACK",
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

export const EventFactor = Type.Object({
  factorId: Type.String({ description: "The `id` that the factor has or had in the metadata." }),
  kind: FactorKind,
  scope: Scope,
});
export type EventFactor = Static<typeof EventFactor>;

export const ClientApp = Type.Object({ name: Type.String(), version: Type.String() });
/** The app that sent a request, as it names itself; empty where it sent one of the headers only. */
export type ClientApp = Static<typeof ClientApp>;

export const EventId = Type.String({ pattern: `^${UUID}$`, description: "The `id` of an event." });

export const Event = Type.Object({
  id: EventId,
  at: Type.Integer({ description: "Seconds since the epoch." }),
  /** Any text: what a newer version of the service has stored is shown, and clients take it. */
  kind: Type.String({
    description: `What happened: ${EVENT_KINDS.map((kind) => `\`${kind}\``).join(", ")}. Kinds may be added.`,
  }),
  actor: Type.Union([EventFactor, Type.Null()], {
    description: "The factor that authorised it; `null` for the account key and for the operator.",
  }),
  subject: Type.Union([EventFactor, Type.Null()], { description: "The factor that was added or removed." }),
  client: Type.Union([ClientApp, Type.Null()], {
    description: "The app that asked for it, by its headers `client-name` and `client-version`.",
  }),
});
export type Event = Static<typeof Event>;
