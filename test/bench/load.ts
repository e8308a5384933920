/**
 * The load generator, a process of its own: prepares requests, sends them to a service, and prints one JSON object.
 *
 *   bun test/bench/load.ts '{"url": "http://…", "operation": "retrieve", "count": 500, "concurrency": 8, "bytes": 4096}'
 */
import { createApiClient } from "../support/api-client.ts";
import {
  createPayload,
  newManifestHash,
  newUser,
  randomBytes,
  solved,
  syncPayload,
  type User,
  userWithBackup,
} from "../support/users.ts";

export interface LoadOptions {
  readonly url: string;
  /** The service's metrics, for its CPU time; absent if another server is measured. */
  readonly metricsUrl?: string | undefined;
  readonly operation: LoadOperation;
  readonly count: number;
  readonly concurrency: number;
  /** Size of the backups. */
  readonly bytes: number;
  /** For `floor`: the path to send `bytes` to. */
  readonly path?: string;
}

export interface LoadResult {
  readonly perSecond: number;
  /** Milliseconds from sending a request to the end of its answer. */
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  /** Answers other than 200, by status. */
  readonly failures: Readonly<Record<string, number>>;
  /** CPU time of the service for each request, in milliseconds; `null` if it reports none. */
  readonly cpuMs: number | null;
  /** Mean sizes, which the floor imitates. */
  readonly requestBytes: number;
  readonly responseBytes: number;
}

export type LoadOperation =
  | "floor"
  /** Half of each: create and retrieve. */
  | "transfers"
  | "challenge"
  | "create"
  | "verify-factor"
  | "retrieve-metadata"
  | "retrieve"
  | "sync";

/** A request that is ready to be sent. */
export interface PreparedRequest {
  readonly path: string;
  readonly body: string | Uint8Array;
  readonly contentType: string;
}

const USERS = 20;
/** Of a larger backup, only two responses are sent at a time. */
const LARGE_BYTES = 256 * 1024;
const BOUNDARY = "----bench-boundary";

async function sendAll(options: LoadOptions): Promise<LoadResult> {
  const requests = await prepareRequests(options);
  const latencies: number[] = [];
  const failures: Record<string, number> = {};
  let responseBytes = 0;
  let next = 0;

  async function sendNext(): Promise<void> {
    for (let request = requests[next++]; request !== undefined; request = requests[next++]) {
      const startedMs = performance.now();
      const response = await fetch(options.url + request.path, {
        method: "POST",
        body: new Uint8Array(Buffer.from(request.body)),
        headers: {
          "content-type": request.contentType,
          "accept-encoding": "identity",
          "x-forwarded-for": addressOf(next), // one address may take only a share of memory and disk
        },
      });
      responseBytes += (await response.arrayBuffer()).byteLength;
      latencies.push(performance.now() - startedMs);
      if (response.status !== 200) failures[response.status] = (failures[response.status] ?? 0) + 1;
    }
  }

  const cpuBefore = await cpuSeconds(options.metricsUrl);
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: options.concurrency }, sendNext));
  const seconds = (performance.now() - startedMs) / 1000;
  const cpuAfter = await cpuSeconds(options.metricsUrl);

  latencies.sort((a, b) => a - b);
  const percentile = (part: number) => latencies[Math.floor((latencies.length - 1) * part)] ?? 0;
  const sum = (total: number, request: PreparedRequest) => total + request.body.length;
  return {
    perSecond: requests.length / seconds,
    p50: percentile(0.5),
    p95: percentile(0.95),
    p99: percentile(0.99),
    failures,
    cpuMs: cpuBefore === null || cpuAfter === null ? null : ((cpuAfter - cpuBefore) * 1000) / requests.length,
    requestBytes: Math.round(requests.reduce(sum, 0) / requests.length),
    responseBytes: Math.round(responseBytes / requests.length),
  };
}

/** An address for each of a few thousand clients. */
export function addressOf(client: number): string {
  return `10.0.${Math.floor(client / 250) % 250}.${client % 250}`;
}

/** Prepares everything that a client can do beforehand, so that only the operation itself is measured. */
export async function prepareRequests(options: LoadOptions): Promise<readonly PreparedRequest[]> {
  const { url, operation, count, bytes, path = "" } = options;
  const client = createApiClient({ url });
  const requests: PreparedRequest[] = [];
  if (operation === "floor")
    return Array.from({ length: count }, () => ({
      path,
      body: "x".repeat(bytes),
      contentType: "application/json",
    }));
  if (operation === "transfers") {
    const half = { ...options, count: Math.ceil(count / 2) };
    const uploads = await prepareRequests({ ...half, operation: "create" });
    const downloads = await prepareRequests({ ...half, operation: "retrieve" });
    return uploads.flatMap((upload, index) => [upload, ...downloads.slice(index, index + 1)]);
  }
  if (operation === "challenge")
    return Array.from({ length: count }, () => json("/v1/sync/challenge/keypair", {}));
  if (operation === "create") {
    for (let n = 0; n < count; n++) {
      const user = newUser(randomBytes(bytes));
      requests.push(multipart("/v1/create", await createPayload(client, user), user.backup));
    }
    return requests;
  }
  if (operation === "sync") {
    // every backup is updated once: a second update would need the first one's manifest hash
    for (let n = 0; n < count; n++) {
      const user = await userWithBackup(client, newUser(randomBytes(64)));
      requests.push(
        multipart("/v1/sync", await syncPayload(client, user, newManifestHash()), randomBytes(bytes)),
      );
    }
    return requests;
  }
  const users: User[] = [];
  const width = bytes > LARGE_BYTES ? Math.ceil(count / 2) : Math.min(USERS, count);
  for (let n = 0; n < width; n++) users.push(await userWithBackup(client, newUser(randomBytes(bytes))));
  for (let n = 0; n < count; n++) {
    const user = users[n % users.length] ?? newUser();
    const key = operation === "retrieve-metadata" ? user.sync : user.main;
    requests.push(json(PATHS[operation], await solved(client, operation, key)));
  }
  return requests;
}

const PATHS = {
  "verify-factor": "/v1/verify-factor",
  "retrieve-metadata": "/v1/retrieve-metadata",
  retrieve: "/v1/retrieve/from-challenge",
} as const;

function json(path: string, body: unknown): PreparedRequest {
  return { path, body: JSON.stringify(body), contentType: "application/json" };
}

function multipart(path: string, payload: unknown, backup: Uint8Array): PreparedRequest {
  const part = (name: string) => `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n`;
  const body = Buffer.concat([
    Buffer.from(`${part("payload")}${JSON.stringify(payload)}\r\n${part("backup")}`),
    backup,
    Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
  ]);
  return { path, body, contentType: `multipart/form-data; boundary=${BOUNDARY}` };
}

async function cpuSeconds(metricsUrl: string | undefined): Promise<number | null> {
  if (metricsUrl === undefined) return null;
  const text = await (await fetch(metricsUrl)).text();
  return Number(/^process_cpu_seconds(?:_total)? (\S+)$/m.exec(text)?.[1] ?? Number.NaN);
}

if (import.meta.main) {
  const options: LoadOptions = JSON.parse(process.argv[2] ?? "{}");
  process.stdout.write(`${JSON.stringify(await sendAll(options))}\n`);
}
