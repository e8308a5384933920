import { Elysia } from "elysia";
import { ServiceError } from "../errors.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import type { Reply } from "../http/response/reply.ts";
import { requireResponseFolder } from "../http/response/response-files.ts";
import { operations } from "../protocol/operations.ts";
import { atMostEvery } from "../runtime/at-most-every.ts";
import { version } from "../runtime/version.ts";
import type { Services } from "../services.ts";

/** The stores are checked at most this often: requests need no proof, and calls of a store may cost money. */
const CHECKED_EVERY_MS = 1000;

export function health({ records, blobs, restores, clock, config, lifecycle, log, random }: Services) {
  const isReady = atMostEvery(CHECKED_EVERY_MS, clock, async () => {
    const parts = [
      ["records", Promise.all([records.ready(), records.writable()])],
      ["blobs", Promise.all([blobs.ready(), blobs.writable()])],
      ["installation", restores()],
      ["responses", requireResponseFolder(random)],
    ] as const;
    const results = await Promise.allSettled(parts.map(([, ready]) => ready));
    for (const [index, result] of results.entries())
      if (result.status === "rejected")
        log.error({ part: parts[index]?.[0], err: result.reason as unknown }, "not ready");
    return results.every(({ status }) => status === "fulfilled");
  });

  return new Elysia({ name: "health" })
    .get(
      operations.health.path,
      async (): Reply<typeof operations.health> => ({ status: "ok", semver: version, rev: config.revision }),
      { detail: describeOperation(operations.health) },
    )
    .get(
      operations.ready.path,
      async (): Reply<typeof operations.ready> => {
        if (lifecycle.isEnding) throw new ServiceError("service_unavailable", "The service is shutting down");
        if (!(await isReady())) throw new ServiceError("service_unavailable", "The service is not ready");
        return { status: "ok" };
      },
      { detail: describeOperation(operations.ready) },
    );
}
