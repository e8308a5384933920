/** `bun run build:client`: builds the client for apps into `dist/client`. */
import { join } from "node:path";
import { ROOT } from "../runtime/prerequisites.ts";
import { buildClient } from "./built-client.ts";

const folder = join(ROOT, "dist/client");
const files = await buildClient(folder);
for (const { name, bytes } of files)
  if (name.endsWith(".js")) process.stdout.write(`dist/client/${name} ${(bytes / 1024).toFixed(1)} KiB\n`);
