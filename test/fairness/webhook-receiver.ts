/** A webhook receiver that is down now and then. */
export interface WebhookReceiver extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
  /** How many events it has taken. */
  readonly taken: number;
  /** From now on it is down for so long, up for so long, and so on. */
  fail(everyMs: number): void;
  /** It stays up. */
  recover(): void;
}

export function startWebhookReceiver(): WebhookReceiver {
  let isDown = false;
  let taken = 0;
  let timer: Timer | null = null;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      await request.bytes();
      if (isDown) return new Response("down", { status: 503 });
      taken += 1;
      return new Response(null, { status: 204 });
    },
  });
  const recover = () => {
    if (timer !== null) clearInterval(timer);
    isDown = false;
  };
  return {
    env: {
      WEBHOOK_URL: `http://127.0.0.1:${server.port}/events`,
      WEBHOOK_SECRETS: `whsec_${Buffer.alloc(32, 1).toString("base64")}`,
    },
    get taken() {
      return taken;
    },
    fail(everyMs) {
      isDown = true;
      timer = setInterval(() => {
        isDown = !isDown;
      }, everyMs);
    },
    recover,
    async [Symbol.asyncDispose]() {
      recover();
      await server.stop(true);
    },
  };
}
