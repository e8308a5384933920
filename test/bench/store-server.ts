/** A store that does nothing: it reads a request, takes its time, and responds with as many bytes as the path asks for. */
import { announce } from "./announce.ts";

announce(async (request) => {
  const [, bytes = "", responseMs = ""] = new URL(request.url).pathname.split("/");
  if (bytes === "health") return new Response("ok");
  await request.arrayBuffer();
  // about so long: responses that come at once wake their reader once for all of them
  await Bun.sleep(Number(responseMs) * (0.5 + Math.random()));
  return new Response(new Uint8Array(Number(bytes)));
});
