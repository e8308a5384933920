/** `bun run demo`: plays the whole life of a backup against a running service and shows every exchange. */
import { parseArgs, styleText } from "node:util";
import { createApiClient } from "../client/api-client.ts";
import type { Exchange } from "../client/exchange.ts";
import { createBackupClient, RefusedError } from "../client/index.ts";
import { isLoopbackHost } from "../runtime/loopback.ts";
import { typed } from "../runtime/program.ts";
import { command, HELP } from "./command.ts";
import { playFactorsLife } from "./demo-factors.ts";
import { playKeypairLife } from "./demo-keypair.ts";
import { playLosses } from "./demo-losses.ts";
import { reportingTransport } from "./demo-transport.ts";
import { explain } from "./explain.ts";

const USAGE = `Usage: ${typed("demo")} [--url URL] [--attestation-token TOKEN]
       [--origin ORIGIN] [--quiet]

Creates a backup, recovers it on a second device, updates it, manages its factors and deletes it. Then does the same
with a passkey and, if the service has a test issuer, with a Google test account. At the end a thief deletes a backup and
a bad app empties it, and its owner gets it back.
  --url                the service to talk to; if not given, the one on this machine at PORT, or at 8000
  --origin             where passkeys say they were used: one of the service's WEBAUTHN_ORIGINS; if not given,
                       the service itself, under the name localhost where it is on this machine
  --attestation-token  sent as the header of that name, for services that ask for it
  --quiet              shows only the steps, not the requests and responses
`;

const MAX_SHOWN_CHARACTERS = 64;

const OPTIONS = {
  url: { type: "string", default: `http://localhost:${process.env.PORT?.trim() || 8000}` },
  "attestation-token": { type: "string" },
  origin: { type: "string" },
  quiet: { type: "boolean", default: false },
  ...HELP,
} as const;

await command(USAGE, optionsOf, play);

async function play(options: ReturnType<typeof optionsOf>): Promise<number> {
  const { url, origin, quiet, "attestation-token": attestation } = options;
  const onExchange = quiet ? () => {} : (exchange: Exchange) => write(exchangeAsText(exchange));
  const headers = attestation === undefined ? {} : { "attestation-token": attestation };
  const app = { name: "Demo", version: "1.0" };
  const client = createBackupClient({ url, app, headers, transport: reportingTransport(onExchange) });
  const api = createApiClient({ url: url.replace(/\/+$/, ""), headers, onExchange });
  const announce = (step: string) => write(`\n${styleText("bold", `== ${step}`)}`);
  try {
    announce("The service is running");
    (await api.health()).ok();
    await playKeypairLife(client, announce);
    await playFactorsLife({ client, api }, origin, announce);
    await playLosses(client, announce);
    write("\nThe whole life of a backup went as it should.");
    return 0;
  } catch (error) {
    process.stderr.write(`\nThe demo failed: ${explain(error)}\n${hintFor(error, options)}\n`);
    return 1;
  }
}

function hintFor(error: unknown, { url, origin }: { readonly url: string; readonly origin: string }): string {
  if (!(error instanceof RefusedError))
    return (
      `Is the service running at ${url}? Start it with: bun run dev\n` +
      "If it runs at another port or on another machine, pass its URL with --url, or its port with PORT."
    );
  if (error.code === "webauthn_error")
    return `Is ${origin} among the service's WEBAUTHN_ORIGINS? If not, name one with --origin.`;
  if (error.code.startsWith("invalid_attestation_token"))
    return "The service requires an attestation: send its bypass token with --attestation-token.";
  return "Its log says more, under the x-request-id of the response.";
}

function optionsOf(args: string[]) {
  const { values } = parseArgs({ args, options: OPTIONS });
  const url = URL.parse(values.url);
  if (url === null) throw new Error(`--url, or the one that PORT makes, is not a URL: ${values.url}`);
  return { ...values, origin: values.origin ?? originOf(url) };
}

/** Passkeys are not used at addresses: this machine is `localhost` to them. */
function originOf({ origin, protocol, hostname, port }: URL): string {
  return isLoopbackHost(hostname) ? `${protocol}//localhost${port === "" ? "" : `:${port}`}` : origin;
}

function write(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** An exchange for a person to read: long values are cut, nothing is left out. */
function exchangeAsText({ method, path, request, status, response }: Exchange): string {
  const good = status < 400;
  return [
    `${styleText("cyan", `${method} ${path}`)}`,
    ...(request === undefined ? [] : [indented(request)]),
    styleText(good ? "green" : "yellow", `  -> ${status}`),
    ...(response === null ? [] : [indented(response)]),
  ].join("\n");
}

function indented(value: unknown): string {
  return styleText("dim", JSON.stringify(value, shortened, 2).replaceAll(/^/gm, "     "));
}

function shortened(_member: string, value: unknown): unknown {
  if (typeof value !== "string" || value.length <= MAX_SHOWN_CHARACTERS) return value;
  return `${value.slice(0, MAX_SHOWN_CHARACTERS)}… (${value.length} characters)`;
}
