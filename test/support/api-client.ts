/** The client as tests use it: it sends whatever they like. */
import * as sdk from "../../src/client/api-client.ts";
import type { ExchangeOptions } from "../../src/client/exchange.ts";

export type { ApiResponse } from "../../src/client/exchange.ts";

/** A body as a client sends it: whatever it likes. */
export type RequestBody = Readonly<Record<string, unknown>>;

export type ApiClient = sdk.ApiClient<RequestBody>;

export function createApiClient(options: ExchangeOptions): ApiClient {
  return sdk.createApiClient<RequestBody>(options);
}
