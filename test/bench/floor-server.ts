/**
 * A minimal server: reads a body, does the parts that the path names one after the other, and responds with as many bytes
 * as the path asks for. No schema, no limits, no log, no metrics, no errors.
 */
import { Elysia } from "elysia";
import { announce } from "./announce.ts";
import { openParts, PART_NAMES } from "./parts.ts";

const BLOB_BYTES = 4096;

const parts = await openParts(BLOB_BYTES);
const app = new Elysia()
  .get("/health", () => "ok")
  .post(
    "/floor/:bytes/:parts",
    async ({ request, params }) => {
      await request.arrayBuffer();
      for (const index of params.parts.split(",")) {
        const part = PART_NAMES[Number(index)];
        if (part !== undefined) await parts.perform(part);
      }
      return new Response("x".repeat(Number(params.bytes)), {
        headers: { "content-type": "application/json" },
      });
    },
    { parse: "none" },
  );
announce(app.fetch);
