/** The client as an app has it: built, and installed in a folder of the app's. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BuiltFile, buildClient } from "../../src/cli/built-client.ts";

export interface InstalledClient extends AsyncDisposable {
  /** The folder of the app. */
  readonly app: string;
  /** The folder of the client. */
  readonly client: string;
  readonly files: readonly BuiltFile[];
}

export async function installClient(): Promise<InstalledClient> {
  const app = await mkdtemp(join(tmpdir(), "client-app-"));
  const client = join(app, "node_modules/backup-service-client");
  await mkdir(client, { recursive: true });
  return {
    app,
    client,
    files: await buildClient(client),
    [Symbol.asyncDispose]: () => rm(app, { recursive: true, force: true }),
  };
}
