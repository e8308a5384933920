import { expect, test } from "bun:test";
import { IDLE_TIMEOUT_S } from "../src/server.ts";

const LOAD_BALANCER_IDLE_S = 60;

test("connections stay open for longer than common load balancers keep them", () => {
  expect(IDLE_TIMEOUT_S).toBeGreaterThan(LOAD_BALANCER_IDLE_S + 10);
});
