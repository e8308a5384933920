/** Receivers of every kind, on free ports of this machine. */
import { createServer, type Socket } from "node:net";

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

export interface Receiver extends AsyncDisposable {
  readonly url: string;
  /** In the order of their arrival. */
  readonly received: readonly Received[];
  /** Resolves when this many requests have arrived. */
  arrived(count: number): Promise<void>;
}

/** @param respond by default 204. */
export function startReceiver(
  respond: (request: Received) => Response | Promise<Response> = () => new Response(null, { status: 204 }),
): Receiver {
  const received: Received[] = [];
  const waiting = new Set<() => void>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const headers = Object.fromEntries(request.headers);
      const arrived = {
        method: request.method,
        path: pathname + search,
        headers,
        body: await request.text(),
      };
      received.push(arrived);
      for (const check of waiting) check();
      return respond(arrived);
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/hook`,
    received,
    arrived(count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const check = () => {
        if (received.length >= count) resolve();
      };
      waiting.add(check);
      check();
      return promise;
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

/** Responds byte by byte as a test likes; `onRequest` is called once for each connection. */
export async function startRawReceiver(onRequest: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}); // the sender may close the connection at any time
    socket.once("data", () => onRequest(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}/hook`,
    port: address.port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
