/** `bun run openapi`: writes the files of the API reference, made of the routes, the protocol and a package. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { loadConfig } from "../config/config.ts";
import { generatedDocuments, scalarLicence, scalarScript } from "../http/reference/generate.ts";
import { routes } from "../routes/index.ts";
import { version } from "../runtime/version.ts";
import { createServices } from "../services.ts";
import { command, HELP } from "./command.ts";

const USAGE = `Usage: bun run openapi

Writes to src/http/reference: openapi.json and openapi-3.0.json, from the operations in src/protocol and the routes, and
the script that shows them, scalar.js.gz, with its licence, from a package of development.
`;

const FOLDER = join(import.meta.dir, "../http/reference");

await command(USAGE, (args: string[]) => parseArgs({ args, options: HELP }).values, writeDocuments);

/** In development there is every route. Services are needed to make the routes; none is called. */
async function writeDocuments(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "backup-service-openapi-"));
  try {
    const env = { APP_ENV: "development", DATA_DIR: folder, LOG_LEVEL: "error" };
    await using services = await createServices([loadConfig(env)]);
    const documents = await generatedDocuments(routes(services), version);
    const script = {
      "scalar.js.gz": gzipSync(await scalarScript(), { level: 9 }),
      "scalar-licence.txt": await scalarLicence(),
    };
    for (const [name, content] of Object.entries({ ...documents, ...script })) {
      await Bun.write(join(FOLDER, name), content);
      process.stdout.write(`wrote src/http/reference/${name}\n`);
    }
    return 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
