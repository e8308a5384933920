import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { startService } from "../support/service.ts";
import { recovered, solved, userWithBackup } from "../support/users.ts";

const aws = DRIVERS.find((driver) => driver.name === "aws");

if (aws !== undefined)
  describe("a service that starts while S3 cannot be reached", () => {
    test("issues challenges, is not ready, authorises nothing, and serves when S3 is back", async () => {
      await using storage = await aws.environment();
      const first = await startService(aws, { storage });
      const user = await userWithBackup(first.client);
      await first[Symbol.asyncDispose]();

      await using proxy = await startFaultProxy(storage.env.AWS_ENDPOINT_URL_S3 ?? "");
      proxy.inject({ kind: "drop request" }, Number.POSITIVE_INFINITY);
      const env = { AWS_ENDPOINT_URL_S3: proxy.url };
      const patience = {}; // the usual one: each call of the outage ends when it is over
      await using service = await startService(aws, { storage, env, patience });
      const ready = async () => (await fetch(`${service.url}/ready`)).status;
      expect(await ready()).toBe(503);
      const proof = await solved(service.client, "verify-factor", user.main);
      const answer = await service.client.verifyFactor(proof);
      expect([answer.status, answer.code()]).toEqual([503, "service_unavailable"]);

      proxy.clear();
      (await service.client.verifyFactor(proof)).ok();
      service.clock.advance(1_000);
      expect(await ready()).toBe(200);
      await recovered(service.client, user);
    });
  });
