/** An endpoint that no connection reaches: its queue is full, and it accepts none. */
import { connect, type Socket } from "node:net";
import { linesOf } from "../../../support/service-process.ts";

/** More than the queue of a listening socket holds by default on any system. */
const CONNECTIONS = 6_000;
/** A connection that the queue has room for is made within this time. The system repeats any other after a second. */
const CONNECTED_WITHIN_MS = 500;
const LISTEN = `
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  console.log(server.port);
`;

export interface DeafEndpoint extends AsyncDisposable {
  readonly host: string;
  /** Whether connections before still wait to be taken into the queue. */
  isFull(): boolean;
}

export async function startDeafEndpoint(): Promise<DeafEndpoint> {
  const child = Bun.spawn([process.execPath, "--eval", LISTEN], { stdout: "pipe" });
  const { value } = await linesOf(child.stdout).next();
  child.kill("SIGSTOP");
  const port = Number(value);
  const sockets: Socket[] = [];
  while (sockets.length < CONNECTIONS && !sockets.at(-1)?.connecting) {
    const socket = connect(port, "127.0.0.1").on("error", () => {});
    sockets.push(socket);
    const sinceMs = performance.now();
    while (socket.connecting && performance.now() - sinceMs < CONNECTED_WITHIN_MS)
      await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return {
    host: `127.0.0.1:${port}`,
    isFull: () => sockets.at(-1)?.connecting === true,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
