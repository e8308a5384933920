/** What only the aws driver's blob store does: how it speaks to S3. */
import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { HeadObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import type { AwsStorageConfig } from "../../src/config/storage.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import { type AwsBlobsOptions, openAwsBlobs } from "../../src/storage/aws/blobs.ts";
import { BlobDamaged, StorageUnavailable } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import { newAwsStorage } from "../support/aws-storage.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { openFilesIn, temporaryFolder } from "../support/temporary-folder.ts";
import { contentOf } from "./blobs.ts";
import { collect } from "./fixture.ts";

const RETRY = { budgetMs: 2_000, attemptMs: 1_000, firstPauseMs: 2, maxPauseMs: 10 };

async function openFixture(change: Partial<AwsStorageConfig> = {}, options: Partial<AwsBlobsOptions> = {}) {
  const storage = await newAwsStorage();
  const proxy = await startFaultProxy(storage.config.s3Endpoint ?? "");
  const config = { ...storage.config, s3Endpoint: proxy.url, ...change };
  const blobs = await openAwsBlobs(config, { random: systemRandom, retry: RETRY, ...options });
  const s3 = new S3Client({
    region: storage.config.region,
    endpoint: storage.config.s3Endpoint ?? "",
    forcePathStyle: true,
  });
  return {
    storage,
    proxy,
    blobs,
    s3,
    bucket: storage.config.bucket,
    async [Symbol.asyncDispose]() {
      s3.destroy();
      for (const resource of [blobs, proxy, storage]) await resource[Symbol.asyncDispose]();
    },
  };
}

if (DRIVERS.some((driver) => driver.name === "aws")) {
  describe("objects", () => {
    test("the mark of the installation is an object that is listed as none, and stays what it is", async () => {
      await using store = await openFixture();
      store.proxy.inject({ kind: "drop answer" }, 2);
      expect(await store.blobs.markInstallation("id 1")).toBe("id 1");
      expect(await store.blobs.markInstallation("id 2")).toBe("id 1");
      expect(await collect(store.blobs.list())).toEqual([]);
      await store.storage.overwriteBlob("installation", Buffer.from("x".repeat(200)));
      await expect(store.blobs.installationId()).rejects.toThrow("is no mark");
    });

    test("a name says for which backup the object was stored", async () => {
      await using store = await openFixture();
      for (const backupId of ["backup_1", "a/blobs/b"]) await store.blobs.put(backupId, [Buffer.from("x")]);
      const listed = await collect(store.blobs.list());
      expect(listed.map(({ backupId }) => backupId).toSorted()).toEqual(["a/blobs/b", "backup_1"]);
    });

    test("an object is named after its backup", async () => {
      await using store = await openFixture();
      const { key } = await store.blobs.put("backup_1", [Buffer.from("x")]);
      expect(key).toMatch(/^backup_1\/blobs\/[0-9a-f-]{36}$/);
    });

    test("an object is encrypted with the key of the configuration, and only then", async () => {
      const kmsKeyArn = "arn:aws:kms:eu-west-1:000000000000:key/1";
      for (const [change, algorithm, keyId] of [
        [{ kmsKeyArn }, "aws:kms", kmsKeyArn],
        [{}, undefined, undefined],
      ] as const) {
        await using store = await openFixture(change);
        const { key } = await store.blobs.put("b1", [Buffer.from("x")]);
        const head = await store.s3.send(new HeadObjectCommand({ Bucket: store.bucket, Key: key }));
        expect(head.ServerSideEncryption).toBe(algorithm);
        expect(head.SSEKMSKeyId).toBe(keyId);
      }
    });

    test("objects of others in the bucket are not listed", async () => {
      await using store = await openFixture();
      const { key } = await store.blobs.put("b1", [Buffer.from("x")]);
      for (const Key of ["readme.txt", "b1/other/1", "b1/blobs/not-a-uuid"])
        await store.s3.send(new PutObjectCommand({ Bucket: store.bucket, Key, Body: "x" }));
      expect((await collect(store.blobs.list())).map((entry) => entry.key)).toEqual([key]);
    });
  });

  describe("an upload whose answer is lost", () => {
    test("is found to be stored, under one name", async () => {
      await using store = await openFixture();
      store.proxy.inject({ kind: "drop answer" });
      const ref = await store.blobs.put("b1", [Buffer.from("content")]);
      expect(store.proxy.seen.map((line) => line.split(" ")[0])).toEqual(["PUT", "PUT", "HEAD"]);
      expect(`${await contentOf(store.blobs, ref)}`).toBe("content");
      expect(await collect(store.blobs.list())).toHaveLength(1);
    });

    test("is not taken for stored when another object has its name", async () => {
      const uuid = "00000000-0000-4000-8000-000000000000";
      const random = { ...systemRandom, uuid: () => uuid };
      await using store = await openFixture({}, { random });
      const other = { Bucket: store.bucket, Key: `b1/blobs/${uuid}`, Body: "CONTENT" };
      await store.s3.send(new PutObjectCommand(other));
      await expect(store.blobs.put("b1", [Buffer.from("content")])).rejects.toThrow("another object");
      await expect(store.blobs.put("b1", [Buffer.from("longer content")])).rejects.toThrow("another object");
    });
  });

  describe("a download", () => {
    test("that a reader takes its time with is not cut off", async () => {
      await using store = await openFixture({}, { stallMs: 40, retry: { ...RETRY, attemptMs: 100 } });
      const content = Buffer.alloc(3_000_000, 7);
      const ref = await store.blobs.put("b1", [content]);
      const stream = await store.blobs.get(ref);
      const pieces: Uint8Array[] = [];
      for await (const piece of stream ?? []) {
        if (pieces.length < 3) await new Promise((resolve) => setTimeout(resolve, 80));
        pieces.push(piece);
      }
      expect(Buffer.concat(pieces).equals(content)).toBe(true);
    });

    for (const kind of ["stall answer", "cut answer"] as const) {
      test(`is asked for again after a ${kind}`, async () => {
        await using store = await openFixture({}, { stallMs: 200 });
        const content = randomBytes(3_000_000);
        const ref = await store.blobs.put("b1", [content]);
        store.proxy.inject({ kind }, 2);
        expect(content.equals(await contentOf(store.blobs, ref))).toBe(true);
        const asked = store.proxy.seen.filter((line) => line.startsWith("GET")).length;
        expect(asked).toBeGreaterThanOrEqual(3);
      });

      test(`of which every answer is a ${kind} is an outage, and none of it is served`, async () => {
        await using store = await openFixture({}, { stallMs: 50, retry: { ...RETRY, budgetMs: 200 } });
        const ref = await store.blobs.put("b1", [randomBytes(3_000_000)]);
        store.proxy.inject({ kind }, Number.POSITIVE_INFINITY);
        await expect(store.blobs.get(ref)).rejects.toBeInstanceOf(StorageUnavailable);
      });
    }
  });

  describe("an endpoint that never says how long an object is", () => {
    async function openSilent() {
      const store = await openFixture();
      store.proxy.inject({ kind: "no length" }, Number.POSITIVE_INFINITY);
      return store;
    }

    for (const size of [1_000, 300_000])
      test(`is believed about ${size} bytes that arrive, and about no others`, async () => {
        await using store = await openSilent();
        const content = randomBytes(size);
        const ref = await store.blobs.put("b1", [content]);
        expect(content.equals(await contentOf(store.blobs, ref))).toBe(true);
        expect(await store.blobs.sizeOf(ref.key)).toBe(size);
        for (const damaged of [
          content.subarray(1),
          new Uint8Array(0),
          Buffer.concat([content, Buffer.alloc(1)]),
          Buffer.concat([content, Buffer.alloc(3_000_000)]),
          randomBytes(size),
        ]) {
          await store.storage.overwriteBlob(ref.key, damaged);
          await expect(store.blobs.get(ref)).rejects.toBeInstanceOf(BlobDamaged);
          expect(await store.blobs.sizeOf(ref.key)).toBe(damaged.length);
        }
        await store.blobs.delete(ref.key);
        expect(await store.blobs.sizeOf(ref.key)).toBeNull();
        expect(await store.blobs.get(ref)).toBeNull();
      });

    test("is asked again when an answer breaks off", async () => {
      await using store = await openFixture();
      const content = randomBytes(300_000);
      const ref = await store.blobs.put("b1", [content]);
      store.proxy.inject({ kind: "cut answer without length" }, 1);
      store.proxy.inject({ kind: "no length" }, Number.POSITIVE_INFINITY);
      expect(content.equals(await contentOf(store.blobs, ref))).toBe(true);
    });

    test("is believed about an upload whose answer was lost", async () => {
      await using store = await openFixture();
      store.proxy.inject({ kind: "drop answer" });
      store.proxy.inject({ kind: "no length" }, Number.POSITIVE_INFINITY);
      const ref = await store.blobs.put("b1", [Buffer.from("content")]);
      expect(`${await contentOf(store.blobs, ref)}`).toBe("content");
    });
  });

  test("a list that lacks its continuation is an outage, and no end", async () => {
    await using store = await openFixture();
    const list = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>";
    const answer = { status: 200, contentType: "application/xml", body: list };
    store.proxy.inject({ kind: "refuse", answer });
    await expect(collect(store.blobs.list())).rejects.toBeInstanceOf(StorageUnavailable);
  });

  describe("large transfers", () => {
    const content = randomBytes(300_000);
    const unhurried = { retry: { ...RETRY, attemptMs: 300_000, budgetMs: 300_000 }, maxWaitMs: 300_000 };

    test("of one client leave some of the connections to others", async () => {
      await using store = await openFixture({}, unhurried);
      const other = await store.blobs.put("other", [content]);
      store.proxy.seen.length = 0;
      store.proxy.inject({ kind: "hold" }, Number.POSITIVE_INFINITY);
      const uploads = Array.from({ length: 20 }, () => store.blobs.put("hostile", [content], "a"));
      while (store.proxy.seen.length < 6) await new Promise(setImmediate);
      const download = store.blobs.get(other, "b");
      while (store.proxy.seen.length < 7) await new Promise(setImmediate);
      expect(store.proxy.seen[6]).toContain(other.key);
      store.proxy.clear();
      await (await download)?.cancel();
      await Promise.all(uploads);
    });

    test("of several clients are made in turn, however many one of them has asked for", async () => {
      await using store = await openFixture({}, unhurried);
      const ref = await store.blobs.put("hostile", [content]);
      const honest = await store.blobs.put("honest", [content]);
      store.proxy.seen.length = 0;
      store.proxy.inject({ kind: "hold" }, Number.POSITIVE_INFINITY);
      const downloads = ["a", "b"].flatMap((client) =>
        Array.from({ length: 20 }, () => store.blobs.get(ref, client)),
      );
      downloads.push(store.blobs.get(honest, "c"));
      while (store.proxy.seen.length < 8) await new Promise(setImmediate);
      store.proxy.clear();
      for (const stream of await Promise.all(downloads)) await stream?.cancel();
      // eight were at it already; then each of the others had one turn at most
      const position = store.proxy.seen.findIndex((line) => line.includes(honest.key));
      expect(position).toBeLessThan(8 + 3 + 8); // they may pass each other on their way here
      expect(store.proxy.seen).toHaveLength(41);
    });
  });

  describe("large ciphertexts wait on disk", () => {
    const large = randomBytes(300_000);

    test("in files that have no name, and are gone with their last reader", async () => {
      await using store = await openFixture();
      await using folder = await temporaryFolder();
      const openFiles = () => openFilesIn(folder);
      const ref = await store.blobs.put("b1", [large]);
      expect(await openFiles()).toEqual([]);
      const read = await store.blobs.get(ref);
      const cancelled = await store.blobs.get(ref);
      expect(await openFiles()).toHaveLength(2);
      expect(await readdir(folder.path)).toEqual([]);
      await cancelled?.cancel();
      expect(large.equals(Buffer.concat(await Array.fromAsync(read ?? [])))).toBe(true);
      expect(await openFiles()).toEqual([]);
    });

    test("and where the disk refuses that is an outage, for as long as it does; small ones need none", async () => {
      await using store = await openFixture();
      const larger = randomBytes(4_000_000); // than a connection takes without a reader
      const ref = await store.blobs.put("b1", [larger]);
      {
        await using folder = await temporaryFolder();
        await rm(folder.path, { recursive: true });
        await expect(store.blobs.put("b1", [large])).rejects.toBeInstanceOf(StorageUnavailable);
        await expect(store.blobs.ready()).rejects.toThrow(folder.path);
        const small = await store.blobs.put("b1", [large.subarray(0, 1_000)]);
        expect(await contentOf(store.blobs, small)).toHaveLength(1_000);
        // more than there are connections: each must give back its own
        for (let n = 0; n < 140; n++)
          await expect(store.blobs.get(ref)).rejects.toBeInstanceOf(StorageUnavailable);
      }
      expect(larger.equals(await contentOf(store.blobs, ref))).toBe(true);
    });
  });

  test("an upload that is refused before it was sent gives back its connection", async () => {
    const large = new Uint8Array(2_000_000);
    const open = new Set<Socket>();
    let closed = () => {};
    const refusal = "<Error><Code>SlowDown</Code></Error>";
    const endpoint = createServer((socket) => {
      open.add(socket);
      socket.on("close", () => {
        open.delete(socket);
        closed();
      });
      socket.on("error", () => {}); // the other end may go at any time: that is what is tested
      socket.on("data", (data) => {
        if (data.toString("latin1", 0, 4) === "PUT ")
          socket.write(`HTTP/1.1 503 Slow Down\r\ncontent-length: ${refusal.length}\r\n\r\n${refusal}`);
      });
    });
    await new Promise<void>((resolve) => endpoint.listen(0, "127.0.0.1", resolve));
    const { port } = endpoint.address() as AddressInfo;
    try {
      const retry = { ...RETRY, budgetMs: 0, firstPauseMs: 500, maxPauseMs: 500 };
      await using store = await openFixture({ s3Endpoint: `http://127.0.0.1:${port}` }, { retry });
      for (let n = 0; n < 3; n++) {
        const outcome = await store.blobs.put("b1", [large]).catch((error: unknown) => error);
        expect(outcome).toBeInstanceOf(StorageUnavailable);
      }
      while (open.size > 1) await new Promise<void>((resolve) => (closed = resolve));
    } finally {
      for (const socket of open) socket.destroy();
      endpoint.close();
    }
  });

  test("a missing bucket is an outage that says what to do, and never a missing object", async () => {
    await using store = await openFixture({ bucket: "no-such-bucket" });
    const ref = { key: "b1/blobs/x", size: 1, sha256: "00" };
    const calls: (() => Promise<unknown>)[] = [
      () => store.blobs.get(ref),
      () => store.blobs.put("b1", []),
      () => store.blobs.delete(ref.key),
    ];
    for (const call of calls) {
      const error = await call().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(StorageUnavailable);
      if (error instanceof Error) expect(String(error.cause)).toContain("aws:setup");
    }
    for (const call of [() => store.blobs.ready(), () => store.blobs.sizeOf(ref.key)])
      await expect(call()).rejects.toThrow("no-such-bucket cannot be used: it does not exist");
  });
}
