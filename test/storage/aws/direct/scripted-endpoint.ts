/** An endpoint that records requests as they arrive, and answers as it is told. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export interface SeenRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly target: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

export type Respond = (response: ServerResponse, request: IncomingMessage) => void;

export interface ScriptedEndpoint extends AsyncDisposable {
  readonly url: string;
  readonly seen: SeenRequest[];
  /** From here on. */
  respond: Respond;
}

export async function startScriptedEndpoint(): Promise<ScriptedEndpoint> {
  const seen: SeenRequest[] = [];
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    const { method = "", url: target = "", headers } = request;
    seen.push({ method, target, headers, body: Buffer.concat(pieces).toString() });
    endpoint.respond(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the endpoint has no port");
  const endpoint: ScriptedEndpoint = {
    url: `http://127.0.0.1:${address.port}`,
    seen,
    respond: (response) => void response.end(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return endpoint;
}
