import type { RequestOf, ResponseOf } from "../../protocol/operations.ts";
import { paths } from "../../protocol/paths.ts";
import type { Context } from "../context.ts";
import type { KeypairFactor } from "../factors/keypair.ts";
import { keypairProof, readWithProof } from "../proof.ts";
import type { CallOptions } from "../transport/connection.ts";
import type { Event } from "../wire.ts";

export interface EventsOptions extends CallOptions {
  /** The `id` of an event: only older ones are returned. */
  readonly before?: string;
  /** How many events a request returns: 1 to 100, by default 50. */
  readonly pageSize?: number;
}

/** Fetches a page when the one before has been read, each with a proof of its own. */
export async function* listEvents(
  context: Context,
  factor: KeypairFactor,
  { before, pageSize, ...options }: EventsOptions = {},
): AsyncGenerator<Event, void, undefined> {
  const size = pageSize === undefined ? {} : { limit: pageSize };
  for (let start = before ?? null, isFirst = true; isFirst || typeof start === "string"; isFirst = false) {
    const from = start === null ? {} : { before: start };
    const { events, next } = await readWithProof<ResponseOf<"listEvents">>(
      context,
      factor,
      () => keypairProof(context, "events", factor, {}, options),
      (proof) => ({
        path: paths.listEvents,
        body: { ...proof, ...size, ...from } satisfies RequestOf<"listEvents">,
        expects: { events: "array" },
      }),
      options,
    );
    yield* events;
    start = next;
  }
}
