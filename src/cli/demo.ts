/** `bun run demo`: plays the whole life of a backup against a running service and shows every exchange. */
import { parseArgs } from "node:util";
import { ApiClient, type Exchange } from "./api-client.ts";
import { playFactorsLife } from "./demo-factors.ts";
import { playKeypairLife } from "./demo-keypair.ts";
import { exchangeAsText, heading } from "./demo-output.ts";

const USAGE = `Usage: bun run demo [--url http://localhost:8000] [--attestation-token TOKEN]
       [--origin http://localhost:8000] [--quiet]

Creates a backup, recovers it on a second device, updates it, manages its factors and deletes it. Then does the same
with a passkey and, where the service signs in made-up accounts, with a Google account.
  --url                the service to talk to
  --origin             where passkeys say they were used: one of the service's WEBAUTHN_ORIGINS
  --attestation-token  sent as the header of that name, for services that ask for it
  --quiet              shows only the steps, not the requests and answers
`;

const options = optionsOrExit();
const client = new ApiClient({
  url: options.url.replace(/\/+$/, ""),
  headers: options.attestationToken === undefined ? {} : { "attestation-token": options.attestationToken },
  onExchange: options.quiet ? () => {} : show,
});

try {
  const announce = (step: string) => write(heading(step));
  await playKeypairLife(client, announce);
  await playFactorsLife(client, options.origin, announce);
  write("\nThe whole life of a backup went as it should.");
} catch (error) {
  process.stderr.write(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}\n`);
  process.stderr.write(`Is the service running at ${options.url}? Start it with: bun run dev\n`);
  process.exitCode = 1;
}

function optionsOrExit() {
  try {
    const { values } = parseArgs({
      options: {
        url: { type: "string", default: "http://localhost:8000" },
        "attestation-token": { type: "string" },
        origin: { type: "string", default: "http://localhost:8000" },
        quiet: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      process.exit(0);
    }
    if (URL.parse(values.url) === null) throw new Error(`--url is not a URL: ${values.url}`);
    const { url, origin, quiet } = values;
    return { url, origin, quiet, attestationToken: values["attestation-token"] };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

function show(exchange: Exchange): void {
  write(exchangeAsText(exchange));
}

function write(text: string): void {
  process.stdout.write(`${text}\n`);
}
