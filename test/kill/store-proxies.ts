/** Proxies in front of the stores of a service that is killed: what it had sent is carried out before it is judged. */
import type { IncomingMessage } from "node:http";
import { dynamoDbError } from "../support/dynamodb-proxy.ts";
import { type Fault, type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";
import { s3Error } from "../support/s3-proxy.ts";

/** Faults that leave open whether a request was carried out, or when, and refusals of a busy store. */
const LATE: readonly Fault[] = [
  { kind: "drop request" },
  { kind: "drop answer" },
  { kind: "delay", ms: 150 },
  { kind: "repeat", afterMs: 150 },
];
const FAULTS = {
  AWS_ENDPOINT_URL_S3: [
    ...LATE,
    { kind: "refuse", answer: s3Error(503, "SlowDown") },
    { kind: "misreport", answer: s3Error(500, "InternalError") },
  ],
  AWS_ENDPOINT_URL_DYNAMODB: [
    ...LATE,
    { kind: "refuse", answer: dynamoDbError(400, "ProvisionedThroughputExceededException") },
    { kind: "misreport", answer: dynamoDbError(500, "InternalServerError") },
  ],
} as const satisfies Readonly<Record<string, readonly Fault[]>>;
const PERCENT_OF_EACH = 2;

export interface StoreProxies extends AsyncDisposable {
  /** The variables that lead a service through the proxies. */
  readonly env: Readonly<Record<string, string>>;
  /** How many connections the service has to its stores. */
  readonly connections: number;
  /**
   * From now on some requests to the stores are lost, late, repeated, throttled, or reported as failed though they were
   * not.
   */
  disturb(random: () => number): void;
  /**
   * From now on, at those times, commits reach their store only after so many ms. That is too late for the service if it is
   * longer than the stores' time budget: a client gets 503, and its change is made afterwards.
   */
  delayCommits(ms: number, isNow: () => boolean): void;
  /** Ends that. Resolves when every request so far was carried out. */
  calm(): Promise<void>;
  /** Resolves when every request of processes that have ended was carried out. */
  deserted(): Promise<void>;
}

/** @param env variables of a storage; where they name no endpoint, nothing is between the service and its stores. */
export async function startStoreProxies(env: Readonly<Record<string, string>>): Promise<StoreProxies> {
  const proxies: { readonly name: keyof typeof FAULTS; readonly proxy: FaultProxy }[] = [];
  const through: Record<string, string> = {};
  for (const name of ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB"] as const) {
    const endpoint = env[name];
    if (endpoint === undefined) continue;
    const proxy = await startFaultProxy(endpoint);
    proxies.push({ name, proxy });
    through[name] = proxy.url;
  }
  return {
    env: { ...env, ...through },
    get connections() {
      return proxies.reduce((sum, { proxy }) => sum + proxy.connections, 0);
    },
    disturb(random) {
      for (const { name, proxy } of proxies)
        for (const fault of FAULTS[name])
          proxy.inject(fault, Number.POSITIVE_INFINITY, () => random() % 100 < PERCENT_OF_EACH);
    },
    delayCommits(ms, isNow) {
      for (const { proxy } of proxies)
        proxy.inject({ kind: "delay", ms }, Number.POSITIVE_INFINITY, isNowCommit);
      function isNowCommit({ headers }: IncomingMessage): boolean {
        return isNow() && String(headers["x-amz-target"]).endsWith(".TransactWriteItems");
      }
    },
    async calm() {
      for (const { proxy } of proxies) proxy.clear();
      await Promise.all(proxies.map(({ proxy }) => proxy.settled()));
    },
    async deserted() {
      await Promise.all(proxies.map(({ proxy }) => proxy.deserted()));
    },
    async [Symbol.asyncDispose]() {
      for (const { proxy } of proxies) await proxy[Symbol.asyncDispose]();
    },
  };
}
