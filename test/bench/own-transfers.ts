/**
 * The service's own part in transfers of 15 MiB, without a socket: hands requests to the application in its own
 * process, and prints the long turns of the event loop for each round as JSON. Chunks of the body are always there, so
 * the end of one and the beginning of the next may share a turn.
 *
 *   bun test/bench/own-transfers.ts create|sync|retrieve
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApp } from "../../src/app.ts";
import { loadConfig } from "../../src/config/config.ts";
import { startServer } from "../../src/http/listen.ts";
import { createServices } from "../../src/services.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { type LoadOperation, prepareShots, type Shot } from "./load.ts";
import { startWatching, stopWatching } from "./turns.ts";

/** About as much as the server hands on at a time. */
const CHUNK_BYTES = 512 * 1024;
const BACKUP_BYTES = 15 * 1024 * 1024;
const ROUNDS = 10;
/** Of these, to get warm. */
const UNCOUNTED_ROUNDS = 3;
const ADDRESS = "127.0.0.1";

const operation = process.argv[2] as LoadOperation;
const dataDir = await mkdtemp(join(tmpdir(), "backup-service-bench-"));
const env = { HOST: ADDRESS, PORT: "0", METRICS_PORT: "0", DATA_DIR: dataDir, ATTESTATION: "off" };
const config = loadConfig({ APP_ENV: "development", ...env });
const services = await createServices(config, {
  log: await createLogger({ level: "silent", format: "json" }),
});
const app = createApp(services);
const server = startServer(services, app); // only for what comes before the transfers
const rounds: number[][] = [];
for (let round = 0; round < ROUNDS; round++) {
  const load = { url: server.url, operation, count: 1, concurrency: 1, bytes: BACKUP_BYTES };
  const requests = (await prepareShots(load)).map(requestOf);
  Bun.gc(true); // what the preparation left is not the transfer's
  startWatching();
  const answers = await Promise.all(requests.map((request) => app.fetch(request, ADDRESS)));
  const turnsMs = stopWatching();
  for (const answer of answers) {
    if (answer.status !== 200) throw new Error(`${operation} was answered ${await answer.text()}`);
    await answer.body?.cancel();
  }
  if (round >= UNCOUNTED_ROUNDS) rounds.push(turnsMs);
}
await server.stop(0);
await services[Symbol.asyncDispose]();
await rm(dataDir, { recursive: true });
process.stdout.write(JSON.stringify(rounds));

function requestOf({ path, body, contentType }: Shot): Request {
  const bytes = Buffer.from(body);
  let sent = 0;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (sent === bytes.length) return controller.close();
        const chunk = bytes.subarray(sent, sent + CHUNK_BYTES);
        sent += chunk.length;
        controller.enqueue(new Uint8Array(chunk));
      },
    },
    { highWaterMark: 0 },
  );
  const headers = { "content-type": contentType, "content-length": String(bytes.length) };
  return new Request(server.url + path, { method: "POST", headers, body: stream });
}
