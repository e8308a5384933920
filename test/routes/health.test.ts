import { describe, expect, test } from "bun:test";
import { health, ready as readyExample } from "../../src/protocol/examples/health.ts";
import { version } from "../../src/runtime/version.ts";
import type { Stores } from "../../src/services.ts";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import { play } from "../support/example.ts";
import { startService, type TestService } from "../support/service.ts";
import { replaced, watched } from "../support/store-wrappers.ts";

const ready = ({ client }: TestService) => client.ready();
const outage = () => Promise.reject(new StorageUnavailable("no connection"));
const broken = () => Promise.reject(new Error("the table is missing"));

for (const driver of DRIVERS)
  describe(`health (${driver.name})`, () => {
    test("answers as the API reference shows", () => play(driver, [health, readyExample]));

    test("returns version and revision", async () => {
      await using service = await startService(driver, { env: { APP_REVISION: "abc123" } });
      expect((await service.client.health()).body).toEqual({ status: "ok", semver: version, rev: "abc123" });
      expect((await ready(service)).body).toEqual({ status: "ok" });
    });

    test("calls no store, so it responds while none does", async () => {
      const calls: string[] = [];
      const seen = (method: string) => void calls.push(method);
      await using service = await startService(driver, {
        wrapStores: ({ records, blobs }) => ({
          records: watched(records, seen),
          blobs: watched(blobs, seen),
        }),
      });
      calls.length = 0;
      expect((await service.client.health()).body).toEqual({ status: "ok", semver: version, rev: null });
      expect(calls).toEqual([]);
    });

    test("asks the stores at most once a second, however many ask whether it is ready", async () => {
      const calls: string[] = [];
      let isDown = true;
      await using service = await startService(driver, {
        wrapStores: ({ records, blobs }) => ({
          records: replaced(records, {
            ready: () => {
              calls.push("records");
              return isDown ? outage() : records.ready();
            },
          }),
          blobs: watched(blobs, (method) => void calls.push(method)),
        }),
      });
      const askers = (count: number) => Promise.all(Array.from({ length: count }, () => ready(service)));
      const statuses = (answers: Awaited<ReturnType<typeof askers>>) => answers.map(({ status }) => status);
      calls.length = 0;

      expect(statuses(await askers(3))).toEqual([503, 503, 503]);
      expect(calls).toEqual(["records", "ready", "writable"]);
      expect(service.logged.filter((line) => line.includes('"not ready"'))).toHaveLength(1);
      isDown = false;
      service.clock.advance(999);
      expect(statuses(await askers(1))).toEqual([503]);
      service.clock.advance(1);
      expect(statuses(await askers(2))).toEqual([200, 200]);
      expect(calls).toEqual(["records", "ready", "writable", "records", "ready", "writable"]);
      service.clock.advance(-60_000); // a clock that was set back does not make the answer last
      expect(statuses(await askers(1))).toEqual([200]);
      expect(calls).toHaveLength(9);
    });

    test("is not ready from the moment that the process is to end, and asks no store", async () => {
      await using service = await startService(driver);
      expect((await ready(service)).status).toBe(200);
      service.services.lifecycle.isEnding = true;
      service.clock.advance(60_000);
      const answer = await ready(service);
      expect([answer.status, answer.code()]).toEqual([503, "service_unavailable"]);
      expect(answer.headers.get("retry-after")).toMatch(/^\d+$/);
      expect(service.logged.filter((line) => line.includes('"not ready"'))).toEqual([]);
      expect((await service.client.health()).status).toBe(200);
      expect((await service.client.keypairChallenge("create")).status).toBe(200);
    });

    const cases: readonly (readonly [
      name: string,
      wrap: (stores: Stores) => Stores,
      named: readonly string[],
    ])[] = [
      [
        "the records are",
        ({ records, blobs }) => ({ records: replaced(records, { ready: outage }), blobs }),
        ["records"],
      ],
      [
        "the blobs are",
        ({ records, blobs }) => ({ records, blobs: replaced(blobs, { ready: broken }) }),
        ["blobs"],
      ],
      [
        "the records take no write, as on a full disk, are",
        ({ records, blobs }) => ({ records: replaced(records, { writable: outage }), blobs }),
        ["records"],
      ],
      [
        "the blobs take no write, as on a full disk, are",
        ({ records, blobs }) => ({ records, blobs: replaced(blobs, { writable: outage }) }),
        ["blobs"],
      ],
      [
        "both are",
        ({ records, blobs }) => ({
          records: replaced(records, { ready: broken }),
          blobs: replaced(blobs, { ready: outage }),
        }),
        ["records", "blobs"],
      ],
    ];
    for (const [name, wrapStores, named] of cases)
      test(`is not ready when ${name} not, and names that in the log only`, async () => {
        await using service = await startService(driver, { wrapStores });
        const answer = await ready(service);
        expect([answer.status, answer.code()]).toEqual([503, "service_unavailable"]);
        expect(answer.headers.get("retry-after")).toMatch(/^\d+$/);
        expect(JSON.stringify(answer.body)).not.toMatch(/records|blobs|table|connection/);
        const lines = service.logged.map((line): { part?: string } => JSON.parse(line));
        expect(lines.flatMap(({ part }) => part ?? [])).toEqual([...named]);
        expect((await service.client.health()).status).toBe(200);
      });
  });
