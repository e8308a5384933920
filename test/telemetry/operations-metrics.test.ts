/** What an operator is shown of proofs, limits, maintenance and the process. */
import { describe, expect, test } from "bun:test";
import { createMaintenanceReports } from "../../src/telemetry/maintenance-reports.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { DRIVERS } from "../drivers.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { lowLimits } from "../support/low-limits.ts";
import { startService, type TestService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { replaced } from "../support/store-wrappers.ts";
import { newUser, randomBytes, solved, userWithBackup } from "../support/users.ts";

const BUILD = { revision: "abc", driver: "local" };

/** The lines of the metrics whose names begin so. */
const linesOf = (text: string, name: string) => text.split("\n").filter((line) => line.startsWith(name));
const scraped = async ({ server }: TestService, name: string) =>
  linesOf(await (await fetch(`${server.metricsUrl}/metrics`)).text(), name);

for (const driver of DRIVERS)
  describe(`the metrics of operation (${driver.name})`, () => {
    test("count failed proofs by their code, also those whose response a limit replaces", async () => {
      await using service = await startService(
        driver,
        lowLimits({ RATE_LIMIT_ADDRESS_FAILURES_PER_MINUTE: "1" }),
      );
      const failed = async () =>
        (await scraped(service, "failed_proofs_total")).filter((line) => !line.endsWith(" 0"));
      expect(await scraped(service, 'failed_proofs_total{code="webauthn_error"}')).toHaveLength(1); // before any
      expect(await failed()).toEqual([]);
      const proof = () => solved(service.client, "verify-factor", createFactorKeypair());
      expect((await service.client.verifyFactor(await proof())).code()).toBe("backup_untraceable");
      expect((await service.client.verifyFactor(await proof())).code()).toBe("too_many_requests");
      expect(await failed()).toEqual(['failed_proofs_total{code="backup_untraceable"} 2']);
      expect(await scraped(service, "limits_hit_total")).toEqual([
        'limits_hit_total{limit="address-failures"} 1',
      ]);
    });

    test("have the bounds of what is bounded, and say what runs and whether it ends", async () => {
      const limits = {
        MAX_IN_FLIGHT_UPLOAD_BYTES: "100000000",
        MAX_IN_FLIGHT_ANSWER_BYTES: "300000000",
        MIN_FREE_DISK_BYTES: "300000",
        APP_REVISION: "abc",
      };
      await using service = await startService(driver, { env: limits });
      expect(await scraped(service, "upload_memory_limit_bytes")).toEqual([
        "upload_memory_limit_bytes 100000000",
      ]);
      expect(await scraped(service, "answer_disk_limit_bytes")).toEqual([
        "answer_disk_limit_bytes 300000000",
      ]);
      expect(await scraped(service, "storage_reserve_bytes")).toEqual(
        driver.name === "local" ? ["storage_reserve_bytes 300000"] : [],
      );
      expect(await scraped(service, "backup_service_build_info")).toEqual([
        expect.stringMatching(
          new RegExp(`\\{version="[0-9.]+",revision="abc",driver="${driver.name}"\\} 1$`),
        ),
      ]);
      expect(await scraped(service, "shutting_down")).toEqual(["shutting_down 0"]);
      service.services.lifecycle.isEnding = true;
      expect(await scraped(service, "shutting_down")).toEqual(["shutting_down 1"]);
    });

    test("say how long large responses waited for others", async () => {
      const OWNERS = 5; // one address has three large responses made at a time
      let reads = Number.NEGATIVE_INFINITY;
      const { promise: allAsk, resolve: mayRead } = Promise.withResolvers<void>();
      await using service = await startService(driver, {
        wrapStores: ({ records, blobs }) => ({
          records: replaced(records, {
            async read(backupId) {
              const record = await records.read(backupId);
              reads += 1;
              if (reads === OWNERS) setTimeout(mayRead); // by then the last one has asked for its permit, too
              return record;
            },
          }),
          blobs: replaced(blobs, {
            async get(ref, client) {
              await allAsk;
              return blobs.get(ref, client);
            },
          }),
        }),
      });
      const users = await Promise.all(
        Array.from({ length: OWNERS }, () => userWithBackup(service.client, newUser(randomBytes(300_000)))),
      );
      const proofs = await Promise.all(users.map(({ main }) => solved(service.client, "retrieve", main)));
      const name = 'permit_wait_seconds_count{permit="large_response"}';
      expect(await scraped(service, name)).toEqual([`${name} 0`]);
      reads = 0;
      const responses = await Promise.all(proofs.map((proof) => service.client.retrieve(proof)));
      expect(responses.map(({ status }) => status)).toEqual(proofs.map(() => 200));
      expect(await scraped(service, name)).toEqual([`${name} 2`]);
    });
  });

test("what cannot be read in time is not a number, and the other metrics are shown", async () => {
  const metrics = createMetrics(BUILD, 1);
  metrics.watch("webhook_events_waiting", () => Promise.withResolvers<number>().promise);
  metrics.watch("storage_free_bytes", () => Promise.reject(new Error("no response")));
  metrics.watch("answer_disk_bytes", async () => null);
  metrics.watch("upload_memory_bytes", () => 5);
  const text = await metrics.text();
  for (const [name, value] of [
    // Prometheus reads numbers in any case
    ["webhook_events_waiting", "Nan"],
    ["storage_free_bytes", "Nan"],
    ["answer_disk_bytes", "Nan"],
    ["upload_memory_bytes", "5"],
  ] as const)
    expect(linesOf(text, name)).toEqual([`${name} ${value}`]);
  expect(linesOf(text, "process_start_time_seconds")).toHaveLength(1);
});

describe("the metrics of maintenance", () => {
  const NOTHING = { expiredRows: 0, collected: 0 };
  const fixture = () => {
    const clock = new SettableClock();
    const metrics = createMetrics(BUILD);
    const reports = createMaintenanceReports(metrics, clock);
    return { clock, reports, lines: async (name: string) => linesOf(await metrics.text(), name) };
  };

  test("say when a run succeeded, how long it took and what it removed", async () => {
    const { clock, reports, lines } = fixture();
    await reports.run("sweep", async () => {
      clock.advance(2_500);
      return { expiredRows: 3, collected: 2, unreferencedBlobs: 1, leftAlone: 4, refusal: null };
    });
    expect(await lines("maintenance_")).toEqual([
      `maintenance_last_success_timestamp_seconds{task="sweep"} ${clock.nowMs() / 1000}`,
      'maintenance_duration_seconds{task="sweep"} 2.5',
      'maintenance_removed_total{what="expired_rows"} 3',
      'maintenance_removed_total{what="leftovers"} 2',
      'maintenance_removed_total{what="unreferenced_blobs"} 1',
    ]);
    expect(await lines("unreferenced_blobs_left_alone")).toEqual(["unreferenced_blobs_left_alone 4"]);
  });

  test("count blobs that a sweep refuses to delete as left alone", async () => {
    const { reports, lines } = fixture();
    const refused = {
      ...NOTHING,
      unreferencedBlobs: 5,
      leftAlone: 1,
      refusal: "they outnumber the 0 backups",
    };
    await reports.run("sweep", async () => refused);
    expect(await lines("unreferenced_blobs_left_alone")).toEqual(["unreferenced_blobs_left_alone 6"]);
    expect(await lines('maintenance_removed_total{what="unreferenced_blobs"}')).toEqual([
      'maintenance_removed_total{what="unreferenced_blobs"} 0',
    ]);
  });

  test("have no success of a run that failed, or that another process does", async () => {
    const { reports, lines } = fixture();
    const failing = reports.run("collection", () => Promise.reject(new Error("down")));
    await expect(failing).rejects.toThrow("down");
    expect(await reports.run("collection", async () => null)).toBeNull();
    expect(await lines("maintenance_last_success")).toEqual([]);
  });

  test("show how many backups there are, where a collection knows it", async () => {
    const { reports, lines } = fixture();
    await reports.run("collection", async () => ({ ...NOTHING, backups: null }));
    expect(await lines("stored_backups")).toEqual([]);
    await reports.run("collection", async () => ({ ...NOTHING, backups: 7 }));
    expect(await lines("stored_backups")).toEqual(['stored_backups{state="current"} 7']);
  });

  test("show what the stores have", async () => {
    const { reports, lines } = fixture();
    reports.counted({ backups: 1, contentBytes: 2, versionBytes: 3, deletedBackups: 4, deletedBytes: 5 });
    expect(await lines("stored_")).toEqual([
      'stored_backups{state="current"} 1',
      'stored_backups{state="deleted"} 4',
      'stored_bytes{of="contents"} 2',
      'stored_bytes{of="versions"} 3',
      'stored_bytes{of="deleted"} 5',
    ]);
  });
});
