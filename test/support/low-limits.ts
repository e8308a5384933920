/** Services whose limits a test can reach. */
import { expect } from "bun:test";
import type { ApiResponse } from "./api-client.ts";
import type { TestServiceOptions } from "./service.ts";

const HIGH = Object.fromEntries(
  [
    "ADDRESS_CHALLENGES_PER_MINUTE",
    "ADDRESS_FAILURES_PER_MINUTE",
    "ADDRESS_DESTRUCTIONS_PER_MINUTE",
    "ADDRESS_STATUS_PER_MINUTE",
    "ADDRESS_CREATES_PER_HOUR",
    "BACKUP_FAILURES_PER_HOUR",
    "BACKUP_DESTRUCTIONS_PER_HOUR",
    "BACKUP_RESTORES_PER_HOUR",
  ].map((name) => [`RATE_LIMIT_${name}`, "1000"]),
);

/** A service behind one proxy, of whose limits only those given are low. */
export function lowLimits(low: Readonly<Record<string, string>>): TestServiceOptions {
  return { env: { ...HIGH, RATE_LIMITS: "true", TRUSTED_PROXY_HOPS: "1", ...low } };
}

export function expectLimited(answer: ApiResponse<unknown>): void {
  expect({ status: answer.status, code: answer.code() }).toEqual({ status: 429, code: "too_many_requests" });
  expect(answer.body).toMatchObject({ allowRetry: true });
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
}
