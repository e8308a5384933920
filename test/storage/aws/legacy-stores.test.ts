import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { openLegacySource } from "../../../src/storage/aws/legacy/source.ts";
import { openLegacyTarget } from "../../../src/storage/aws/legacy/target.ts";
import { type FactorRef, StorageUnavailable } from "../../../src/storage/contract.ts";
import {
  LegacyArchived,
  LegacyTooLarge,
  LegacyUnusable,
  MAX_LEGACY_BYTES,
} from "../../../src/storage/legacy.ts";
import { startFaultProxy } from "../../support/fault-proxy.ts";
import { LEGACY_OPTIONS, type LegacyStores, newLegacyStores } from "../../support/legacy-stores.ts";

describe("the stores of the other service", () => {
  let legacy: LegacyStores;
  beforeAll(async () => {
    legacy = await newLegacyStores();
  });
  afterAll(() => legacy[Symbol.asyncDispose]());
  const factor = (key: string): FactorRef => ({ scope: "MAIN", key });

  test("return what was written, and null for what is not there", async () => {
    await using target = openLegacyTarget(legacy.location, LEGACY_OPTIONS);
    await target.ready();
    await target.putCiphertext("b1", "archive_1", new Uint8Array([1, 2, 3]));
    await target.putMetadata("b1", '{"é":1}');
    expect(await target.ciphertext("b1", "archive_1")).toEqual(new Uint8Array([1, 2, 3]));
    expect(await target.metadata("b1")).toBe('{"é":1}');
    expect(await target.ciphertext("b1", null)).toBeNull();
    expect(await target.metadata("b2")).toBeNull();
  });

  test("lead a factor to the backup that its row names, which no other takes away", async () => {
    await using target = openLegacyTarget(legacy.location, LEGACY_OPTIONS);
    const row = (backupId: string, lastUsedAt: number | null) => ({ backupId, lastUsedAt, createdAtMs: 5 });
    expect(await target.putRow(factor("k"), row("b1", null))).toBe(true);
    expect(await target.putRow(factor("k"), row("b1", 7))).toBe(true);
    expect(await target.putRow(factor("k"), row("b2", 8))).toBe(false);
    expect(await target.rows([factor("k"), factor("k"), factor("none")])).toEqual(
      new Map([["MAIN#k", { backupId: "b1", lastUsedAt: 7 }]]),
    );
    expect(await target.rows([])).toEqual(new Map());
    expect(await target.rows([factor("x".repeat(4_000)), factor("k")])).toMatchObject({ size: 1 });
  });

  test("give a ciphertext in pieces, after a broken connection too", async () => {
    await using proxy = await startFaultProxy(legacy.location.s3Endpoint ?? "");
    await using source = openLegacySource({ ...legacy.location, s3Endpoint: proxy.url }, LEGACY_OPTIONS);
    const content = randomBytes(3 * 2 ** 20);
    await legacy.putObject("large/backups/archive_1", content);
    expect(await source.ciphertextPieces("large", null)).toBeNull();
    const pieces = async () =>
      Buffer.concat(await Array.fromAsync((await source.ciphertextPieces("large", "archive_1")) ?? []));
    expect((await pieces()).equals(content)).toBe(true);
    proxy.inject({ kind: "cut answer" }, 1, ({ url = "" }) => url.includes("/large/backups/archive_1"));
    expect((await pieces()).equals(content)).toBe(true);
    const downloads = proxy.seen.filter((seen) => seen.includes("/large/backups/archive_1"));
    expect(downloads).toHaveLength(3); // the interrupted one was continued
    await legacy.deleteObject("large/backups/archive_1");
  });

  test("do not mix two objects of one name, and report one that has gone", async () => {
    await using source = openLegacySource(legacy.location, LEGACY_OPTIONS);
    await legacy.putObject("changing/backup", new Uint8Array(100));
    const replaced = (await source.ciphertextPieces("changing", null)) ?? [];
    const deleted = (await source.ciphertextPieces("changing", null)) ?? [];
    await legacy.putObject("changing/backup", new Uint8Array(200));
    await expect(Array.fromAsync(replaced)).rejects.toThrow("replaced while it was read");
    await legacy.deleteObject("changing/backup");
    await expect(Array.fromAsync(deleted)).rejects.toThrow("deleted while it was read");
  });

  test("are asked for more rows than DynamoDB reads in a call", async () => {
    await using source = openLegacySource(legacy.location, LEGACY_OPTIONS);
    const factors = Array.from({ length: 250 }, (_, index) => factor(`many ${index}`));
    await Promise.all(factors.map(({ key }) => legacy.putRow(`MAIN#${key}`, "b3")));
    expect((await source.rows(factors)).size).toBe(250);
  });

  test("are not asked to hold what is too large to be of a backup", async () => {
    await using source = openLegacySource(legacy.location, LEGACY_OPTIONS);
    await legacy.putObject("huge/backup", new Uint8Array(MAX_LEGACY_BYTES + 1));
    await expect(source.ciphertext("huge", null)).rejects.toThrow(LegacyTooLarge);
    await expect(source.ciphertextPieces("huge", null)).rejects.toThrow(LegacyTooLarge);
    await legacy.deleteObject("huge/backup");
  });

  test("may have an object in an archive, which is no outage", async () => {
    using archive = Bun.serve({
      port: 0,
      fetch: ({ url }) =>
        url.includes("list-type=2")
          ? new Response(
              `<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>b1/backup</Key><Size>5</Size>
              <LastModified>2026-02-03T04:05:06.000Z</LastModified></Contents></ListBucketResult>`,
            )
          : new Response(
              "<Error><Code>InvalidObjectState</Code><StorageClass>GLACIER</StorageClass></Error>",
              {
                status: 403,
              },
            ),
    });
    const location = { ...legacy.location, s3Endpoint: archive.url.origin };
    await using source = openLegacySource(location, LEGACY_OPTIONS);
    await expect(source.ciphertext("b1", null)).rejects.toThrow(LegacyArchived);
    await expect(source.metadata("b1")).rejects.toThrow(LegacyUnusable);
    const pieces = await source.ciphertextPieces("b1", null);
    await expect(Array.fromAsync(pieces ?? [])).rejects.toThrow(LegacyArchived);
  });

  test("are not what another server's page says", async () => {
    using portal = Bun.serve({
      port: 0,
      fetch: () => new Response("<p>sign in", { headers: { "content-type": "text/html; charset=utf-8" } }),
    });
    const location = { ...legacy.location, s3Endpoint: portal.url.origin };
    await using source = openLegacySource(location, { ...LEGACY_OPTIONS, retry: { budgetMs: 0 } });
    await expect(source.ciphertext("b1", null)).rejects.toThrow(StorageUnavailable);
    await expect(source.metadata("b1")).rejects.toThrow(StorageUnavailable);
  });

  test("are called no more often than they may be", async () => {
    await using source = openLegacySource(legacy.location, { ...LEGACY_OPTIONS, callsPerSecond: 50 });
    const startedMs = performance.now();
    await Promise.all(Array.from({ length: 11 }, () => source.metadata("none")));
    expect(performance.now() - startedMs).toBeGreaterThan(190);
  });

  test("that do not respond are an outage", async () => {
    const nowhere = {
      ...legacy.location,
      s3Endpoint: "http://127.0.0.1:9",
      dynamoDbEndpoint: "http://127.0.0.1:9",
    };
    const retry = { budgetMs: 50, firstPauseMs: 10 };
    await using source = openLegacySource(nowhere, { ...LEGACY_OPTIONS, retry });
    await expect(source.ready()).rejects.toThrow(StorageUnavailable);
    await expect(source.metadata("b1")).rejects.toThrow(StorageUnavailable);
    await expect(source.ciphertextPieces("b1", null)).rejects.toThrow(StorageUnavailable);
    await expect(source.rows([factor("k")])).rejects.toThrow(StorageUnavailable);
    await expect(Array.fromAsync(source.list())).rejects.toThrow(StorageUnavailable);
  });
});
