/**
 * The service's own share of transfers of 15 MiB: passes requests to the application without a socket, and prints the long
 * iterations of the event loop for each round as JSON. The next chunk of a body is always available, so that the end of
 * one and the beginning of the next may share an iteration.
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
import { startWatching, stopWatching } from "./event-loop-iterations.ts";
import { type LoadOperation, type PreparedRequest, prepareRequests } from "./load.ts";

/** About the size of the chunks that Bun's server emits. */
const CHUNK_BYTES = 512 * 1024;
const BACKUP_BYTES = 15 * 1024 * 1024;
const ROUNDS = 10;
/** The rounds that only warm up. */
const UNCOUNTED_ROUNDS = 3;
const ADDRESS = "127.0.0.1";

const operation = process.argv[2] as LoadOperation;
const dataDir = await mkdtemp(join(tmpdir(), "backup-service-bench-"));
const env = { HOST: ADDRESS, PORT: "0", METRICS_PORT: "0", DATA_DIR: dataDir, ATTESTATION: "off" };
const config = loadConfig({ APP_ENV: "development", ...env });
const services = await createServices([config], {
  log: await createLogger({ level: "silent", format: "json" }),
});
const app = createApp(services);
const server = startServer(services, app); // only to prepare the transfers
const rounds: number[][] = [];
for (let round = 0; round < ROUNDS; round++) {
  const load = { url: server.url, operation, count: 1, concurrency: 1, bytes: BACKUP_BYTES };
  const requests = (await prepareRequests(load)).map(requestOf);
  Bun.gc(true); // the garbage of the preparation is not the transfer's
  startWatching();
  const answers = await Promise.all(requests.map((request) => app.fetch(request, ADDRESS)));
  const iterationsMs = stopWatching();
  for (const answer of answers) {
    if (answer.status !== 200) throw new Error(`${operation} was answered ${await answer.text()}`);
    await answer.body?.cancel();
  }
  if (round >= UNCOUNTED_ROUNDS) rounds.push(iterationsMs);
}
await server.stop(0);
await services[Symbol.asyncDispose]();
await rm(dataDir, { recursive: true });
process.stdout.write(JSON.stringify(rounds));

function requestOf({ path, body, contentType }: PreparedRequest): Request {
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
