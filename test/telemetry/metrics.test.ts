import { describe, expect, test } from "bun:test";
import { BlobDamaged } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import { interceptedStores } from "../support/intercepted-stores.ts";
import { head, openConnection } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";
import { sharedService } from "../support/shared-service.ts";
import { replaced } from "../support/store-wrappers.ts";
import { newUser, randomBytes, recovered, solved, userWithBackup } from "../support/users.ts";

for (const driver of DRIVERS)
  describe(`metrics (${driver.name})`, () => {
    const service = sharedService(driver);
    const read = async () => (await fetch(`${service().server.metricsUrl}/metrics`)).text();
    /** The value of the one series with this name and these labels. */
    const value = async (name: string, labels: Readonly<Record<string, string>>): Promise<number> => {
      const lines = (await read()).split("\n").filter((line) => line.startsWith(`${name}{`));
      const line = lines.find((candidate) =>
        Object.entries(labels).every(([label, expected]) => candidate.includes(`${label}="${expected}"`)),
      );
      return Number(line?.split(" ").at(-1) ?? 0);
    };

    test("count requests by method, route, status and code", async () => {
      const { client, url } = service();
      const user = await userWithBackup(client);
      await client.backupStatus({ backupId: newUser().account.backupAccountId });
      await client.backupStatus({ backupId: newUser().account.backupAccountId });
      await fetch(`${url}/nowhere/${user.account.backupAccountId}`);
      await fetch(`${url}/v1/create`);

      const requests = "http_requests_total";
      expect(await value(requests, { route: "/v1/create", method: "POST", status: "200", code: "" })).toBe(1);
      expect(
        await value(requests, {
          route: "/v1/create",
          method: "GET",
          status: "405",
          code: "method_not_allowed",
        }),
      ).toBe(1);
      expect(await value(requests, { route: "/v1/backup/status", status: "404", code: "not_found" })).toBe(2);
      expect(await value(requests, { route: "(unmatched)", status: "404" })).toBe(1);
      expect(await value("http_request_duration_seconds_count", { route: "/v1/create" })).toBe(2);
      const slowest = { route: "/v1/create", le: "300" }; // what the slowest upload may take
      expect(await value("http_request_duration_seconds_bucket", slowest)).toBe(2);
    });

    test("count a download that fails while it is read as failed", async () => {
      await using failing = await startService(driver, {
        wrapStores: ({ records, blobs }) => ({
          records,
          blobs: replaced(blobs, {
            async get(ref) {
              return new ReadableStream({
                pull() {
                  throw new BlobDamaged(ref.key, "nothing");
                },
              });
            },
          }),
        }),
      });
      const user = await userWithBackup(failing.client, newUser(randomBytes(300_000)));
      const proof = await solved(failing.client, "retrieve", user.main);
      expect((await failing.client.retrieve(proof)).status).toBe(500);
      const metrics = await (await fetch(`${failing.server.metricsUrl}/metrics`)).text();
      const counted = metrics
        .split("\n")
        .filter((line) => line.startsWith("storage_call_duration_seconds_count"));
      const gets = counted.filter((line) => line.includes('call="get"'));
      expect(gets).toEqual([expect.stringMatching(/outcome="error".* 1$/)]);
    });

    test("measure the sizes of requests and answers, large ones too", async () => {
      const { client } = service();
      const route = { route: "/v1/retrieve/from-challenge" };
      for (const size of [1_000, 1_000_000]) {
        const [requests, answers] = ["http_request_size_bytes", "http_response_size_bytes"];
        const user = await userWithBackup(client, newUser(randomBytes(size)));
        const proof = await solved(client, "retrieve", user.main);
        const before = [await value(`${requests}_sum`, route), await value(`${answers}_sum`, route)];
        const { body } = await client.retrieve(proof);
        const after = [await value(`${requests}_sum`, route), await value(`${answers}_sum`, route)];
        expect(after.map((sum, index) => sum - (before[index] ?? 0))).toEqual([
          JSON.stringify(proof).length,
          JSON.stringify(body).length,
        ]);
      }
    });

    test("count the requests that are being answered", async () => {
      const { promise: mayRead, resolve: letRead } = Promise.withResolvers<void>();
      const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
      await using waiting = await startService(driver, {
        wrapStores: (stores) =>
          interceptedStores(stores, async (_call, run) => {
            begin();
            await mayRead;
            return run();
          }),
      });
      const inFlight = async () => {
        const text = await (await fetch(`${waiting.server.metricsUrl}/metrics`)).text();
        return /^http_requests_in_flight (.*)$/m.exec(text)?.[1];
      };
      expect(await inFlight()).toBe("0");
      const answer = waiting.client.backupStatus({ backupId: newUser().account.backupAccountId });
      await begun;
      expect(await inFlight()).toBe("1");
      letRead();
      await answer;
      expect(await inFlight()).toBe("0");
    });

    test("have no label that a client chooses", async () => {
      const { client, url } = service();
      const user = await userWithBackup(client);
      await recovered(client, user);
      await client.verifyFactor(await solved(client, "verify-factor", user.main));
      await fetch(`${url}/v1/wordy-path`, { method: "PROPFIND" }).catch(() => null);
      await fetch(`${url}/docs/wordy-asset`);
      const text = await read();
      for (const secret of [
        "wordy",
        "PROPFIND",
        user.account.backupAccountId,
        user.main.publicKey,
        user.manifestHash,
      ])
        expect(text).not.toContain(secret);
    });

    test("measure the calls to each store", async () => {
      await userWithBackup(service().client);
      const calls = "storage_call_duration_seconds_count";
      expect(await value(calls, { store: "records", call: "commit", outcome: "ok" })).toBeGreaterThan(0);
      expect(await value(calls, { store: "blobs", call: "put", outcome: "ok" })).toBeGreaterThan(0);
    });

    test("are on a separate address, where one is configured", async () => {
      const env = { HOST: "0.0.0.0", METRICS_HOST: "127.0.0.1" };
      await using apart = await startService(driver, { env });
      const { url, metricsUrl } = apart.server;
      expect([new URL(url).hostname, new URL(metricsUrl).hostname]).toEqual(["localhost", "127.0.0.1"]);
      expect((await fetch(`${metricsUrl}/metrics`)).status).toBe(200);
    });

    test("are on a separate port, with nothing else", async () => {
      const { url, server } = service();
      expect((await fetch(`${url}/metrics`)).status).toBe(404);
      expect((await fetch(`${server.metricsUrl}/health`)).status).toBe(404);
      expect((await fetch(`${server.metricsUrl}/metrics`)).headers.get("content-type")).toStartWith(
        "text/plain",
      );
    });

    test("are served under a Host of any length", async () => {
      using connection = await openConnection(service().server.metricsUrl);
      await connection.write(head("GET", "/metrics", { host: "a" }));
      expect((await connection.answer()).status).toBe(200);
    });
  });
