import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ServiceError } from "../errors.ts";
import { requireAnswerFolder } from "../http/answer-files.ts";
import { operation } from "../http/openapi.ts";
import type { Services } from "../services.ts";
import { version } from "../version.ts";

export const HealthResponse = Type.Object({
  status: Type.Literal("ok"),
  semver: Type.String({ example: version }),
  rev: Type.Union([Type.String(), Type.Null()], { description: "The revision it was built from, if known." }),
});

const ReadyResponse = Type.Object({ status: Type.Literal("ok") });

export function health({ records, blobs, config, log, random }: Services) {
  return new Elysia({ name: "health" })
    .get("/health", () => ({ status: "ok", semver: version, rev: config.revision }), {
      detail: operation({
        tag: "Service",
        summary: "Whether the process is alive",
        description: "Touches no store.",
        body: "none",
        response: HealthResponse,
        errors: [],
      }),
    })
    .get(
      "/ready",
      async () => {
        const parts = [
          ["records", records.ready()],
          ["blobs", blobs.ready()],
          ["answers", requireAnswerFolder({ random })],
        ] as const;
        const results = await Promise.allSettled(parts.map(([, ready]) => ready));
        const failed = results.flatMap((result, index) =>
          result.status === "rejected" ? [{ part: parts[index]?.[0], err: result.reason as unknown }] : [],
        );
        for (const failure of failed) log.error(failure, "not ready");
        if (failed.length > 0) throw new ServiceError("service_unavailable", "The service is not ready");
        return { status: "ok" };
      },
      {
        detail: operation({
          tag: "Service",
          summary: "Whether requests can be served",
          description:
            "Asks every store whether it answers and is set up, and whether large answers can be made.",
          body: "none",
          response: ReadyResponse,
          errors: [],
        }),
      },
    );
}
