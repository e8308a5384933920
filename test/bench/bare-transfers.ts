/** A minimal server that receives and sends large bodies, with a probe in its event loop. */
import { announce } from "./announce.ts";
import "./event-loop-probe.ts";

const CHUNK = new Uint8Array(128 * 1024).fill(0x41);

announce(async (request) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/health") return new Response("ok");
  if (pathname === "/receive") {
    for await (const _chunk of request.body ?? []);
    return new Response("{}");
  }
  let left = Number(pathname.slice("/send/".length));
  return new Response(
    new ReadableStream(
      {
        pull(controller) {
          if (left <= 0) return controller.close();
          left -= CHUNK.length;
          controller.enqueue(CHUNK.slice());
        },
      },
      { highWaterMark: 0 },
    ),
  );
});
