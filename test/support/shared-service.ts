import { afterAll, beforeAll } from "bun:test";
import type { Driver } from "../drivers.ts";
import { documentedClient } from "./documented-client.ts";
import { startService, type TestService, type TestServiceOptions } from "./service.ts";

/**
 * One service for all tests of a `describe`, since starting one costs more than most tests do. Each test has users of
 * its own. The client fails on answers that are not documented.
 */
export function sharedService(driver: Driver, options: TestServiceOptions = {}): () => TestService {
  let service: TestService | null = null;
  beforeAll(async () => {
    const started = await startService(driver, options);
    service = { ...started, client: await documentedClient(started.url) };
  });
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
  });
  return () => {
    if (service === null) throw new Error("the service has not been started");
    return service;
  };
}
