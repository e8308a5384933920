/** Proxies in front of the stores of a service that is killed: what it had sent is carried out before it is judged. */
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";

export interface StoreProxies extends AsyncDisposable {
  /** The variables that lead a service through the proxies. */
  readonly env: Readonly<Record<string, string>>;
  /** Resolves when every request of processes that have ended was carried out. */
  deserted(): Promise<void>;
}

/** @param env variables of a storage; where they name no endpoint, nothing is between the service and its stores. */
export async function startStoreProxies(env: Readonly<Record<string, string>>): Promise<StoreProxies> {
  const proxies: FaultProxy[] = [];
  const through: Record<string, string> = {};
  for (const name of ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB"]) {
    const endpoint = env[name];
    if (endpoint === undefined) continue;
    const proxy = await startFaultProxy(endpoint);
    proxies.push(proxy);
    through[name] = proxy.url;
  }
  return {
    env: { ...env, ...through },
    async deserted() {
      await Promise.all(proxies.map((proxy) => proxy.deserted()));
    },
    async [Symbol.asyncDispose]() {
      for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
    },
  };
}
