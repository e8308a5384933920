/** HTTP as bytes on a socket, for clients that break off, dawdle or declare one thing and send another. */
import { connect } from "node:net";

export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface RawConnection extends Disposable {
  /** Resolves when the bytes are on their way. */
  write(bytes: string | Uint8Array): Promise<void>;
  /** The answer, as soon as it is whole. Rejects when the connection ends before. */
  answer(): Promise<RawAnswer>;
  /** All that has come. */
  received(): string;
  /** Resolves when the connection has ended. */
  ended(): Promise<void>;
  /** Reads nothing until {@link resume}. */
  pause(): void;
  resume(): void;
}

export async function openConnection(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let received = Buffer.alloc(0);
  let closed = false;
  let wake = () => {};
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, typeof chunk === "string" ? Buffer.from(chunk) : chunk]);
    wake();
  });
  socket.on("close", () => {
    closed = true;
    wake();
    end();
  });
  socket.on("error", () => {}); // "close" follows
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));

  return {
    write: (bytes) => new Promise((resolve) => socket.write(bytes, () => resolve())),
    async answer() {
      for (;;) {
        const answer = parseAnswer(received);
        if (answer !== null) return answer;
        if (closed) throw new Error(`the connection ended after ${received.length} bytes of answer`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    received: () => received.toString("latin1"),
    ended: () => ended,
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    [Symbol.dispose]: () => socket.destroy(),
  };
}

/** A request's head with these headers. */
export function head(
  method: string,
  path: string,
  headers: Readonly<Record<string, string | number>>,
): string {
  const lines = Object.entries({ host: "localhost", ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

/** A piece of a body in chunked coding (RFC 9112 §7.1). */
export function chunk(bytes: string | Uint8Array): Uint8Array {
  const data = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  return Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from("\r\n")]);
}

export const LAST_CHUNK = "0\r\n\r\n";

function parseAnswer(received: Buffer): RawAnswer | null {
  const end = received.indexOf("\r\n\r\n");
  if (end === -1) return null;
  const [start = "", ...lines] = received.subarray(0, end).toString("latin1").split("\r\n");
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const status = Number(start.split(" ")[1]);
  const rest = received.subarray(end + 4);
  if (headers.get("transfer-encoding") === "chunked") {
    const body = unchunked(rest);
    return body === null ? null : { status, headers, body };
  }
  const length = Number(headers.get("content-length") ?? 0);
  if (rest.length < length) return null;
  return { status, headers, body: rest.subarray(0, length).toString() };
}

function unchunked(bytes: Buffer): string | null {
  const pieces: Buffer[] = [];
  for (let position = 0; ; ) {
    const lineEnd = bytes.indexOf("\r\n", position);
    if (lineEnd === -1) return null;
    const size = Number.parseInt(bytes.subarray(position, lineEnd).toString(), 16);
    if (bytes.length < lineEnd + 2 + size + 2) return null;
    if (size === 0) return Buffer.concat(pieces).toString();
    pieces.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    position = lineEnd + 2 + size + 2;
  }
}
