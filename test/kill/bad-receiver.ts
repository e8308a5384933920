/** A receiver of events that fails, hangs, responds late and breaks connections, until it is healed. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { WebhookConfig } from "../../src/config/webhook.ts";
import type { Received } from "../webhooks/receivers.ts";

export interface BadReceiver extends AsyncDisposable {
  readonly config: WebhookConfig;
  /** The variables that lead a service to it. */
  readonly env: Readonly<Record<string, string>>;
  /** All that arrived as a whole, whatever the response was. */
  readonly received: readonly Received[];
  /** From now on it takes each event at once. */
  heal(): void;
}

const LATE_MS = 300;
const SECRET = Buffer.alloc(32, 9);

export async function startBadReceiver(random: () => number): Promise<BadReceiver> {
  const received: Received[] = [];
  let isHealed = false;

  function respond(response: ServerResponse): void {
    const take = () => response.writeHead(204).end();
    const chance = isHealed ? 100 : random() % 100;
    if (chance < 15) response.writeHead(503).end("later");
    else if (chance < 25)
      response.destroy(); // as of a receiver that dies
    else if (chance < 35) setTimeout(take, LATE_MS);
    else if (chance >= 45) take(); // in between it hangs
  }

  const server = createServer(async (request, response) => {
    request.on("error", () => {}); // the service may be killed while it sends
    response.on("error", () => {});
    const body = await bodyOf(request);
    if (body === null) return;
    const { method = "", url: path = "" } = request;
    const id = String(request.headers["webhook-id"]);
    received.push({ method, path, headers: { "webhook-id": id }, body });
    respond(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the receiver has no port");
  const url = `http://127.0.0.1:${address.port}/hook`;
  return {
    config: { url, secrets: [SECRET] },
    env: {
      APP_ENV: "development", // where the URL need not be https
      LOG_FORMAT: "json",
      WEBHOOK_URL: url,
      WEBHOOK_SECRETS: `whsec_${SECRET.toString("base64")}`,
    },
    received,
    heal() {
      isHealed = true;
      server.closeAllConnections(); // those that hang
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** `null` where the sender ended in the middle. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of request) pieces.push(piece);
  } catch {
    return null;
  }
  return request.complete ? Buffer.concat(pieces).toString() : null;
}
