/** What is specific to the blob store of the aws driver: its requests to S3. */
import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { HeadObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { systemRandom } from "../../src/runtime/clock.ts";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import { openFilesIn, temporaryFolder } from "../support/temporary-folder.ts";
import { openAwsFixture, RETRY } from "./aws-blobs-fixture.ts";
import { contentOf } from "./blobs.ts";
import { collect } from "./fixture.ts";

if (DRIVERS.some((driver) => driver.name === "aws")) {
  describe("objects", () => {
    test("the mark of the installation is an object that is listed as none, and stays what it is", async () => {
      await using store = await openAwsFixture();
      store.proxy.inject({ kind: "drop answer" }, 2);
      expect(await store.blobs.markInstallation("id 1")).toBe("id 1");
      expect(await store.blobs.markInstallation("id 2")).toBe("id 1");
      expect(await collect(store.blobs.list())).toEqual([]);
      await store.storage.overwriteBlob("installation", Buffer.from("x".repeat(200)));
      await expect(store.blobs.installationId()).rejects.toThrow("is no mark");
    });

    test("a name says for which backup the object was stored", async () => {
      await using store = await openAwsFixture();
      for (const backupId of ["backup_1", "a/blobs/b"]) await store.blobs.put(backupId, [Buffer.from("x")]);
      const listed = await collect(store.blobs.list());
      expect(listed.map(({ backupId }) => backupId).toSorted()).toEqual(["a/blobs/b", "backup_1"]);
    });

    test("an object is named after its backup", async () => {
      await using store = await openAwsFixture();
      const { key } = await store.blobs.put("backup_1", [Buffer.from("x")]);
      expect(key).toMatch(/^backup_1\/blobs\/[0-9a-f-]{36}$/);
    });

    test("an object is encrypted with the key of the configuration, and only then", async () => {
      const kmsKeyArn = "arn:aws:kms:eu-west-1:000000000000:key/1";
      for (const [change, algorithm, keyId] of [
        [{ kmsKeyArn }, "aws:kms", kmsKeyArn],
        [{}, undefined, undefined],
      ] as const) {
        await using store = await openAwsFixture(change);
        const { key } = await store.blobs.put("b1", [Buffer.from("x")]);
        const head = await store.s3.send(new HeadObjectCommand({ Bucket: store.bucket, Key: key }));
        expect(head.ServerSideEncryption).toBe(algorithm);
        expect(head.SSEKMSKeyId).toBe(keyId);
      }
    });

    test("objects of others in the bucket are not listed", async () => {
      await using store = await openAwsFixture();
      const { key } = await store.blobs.put("b1", [Buffer.from("x")]);
      for (const Key of ["readme.txt", "b1/other/1", "b1/blobs/not-a-uuid"])
        await store.s3.send(new PutObjectCommand({ Bucket: store.bucket, Key, Body: "x" }));
      expect((await collect(store.blobs.list())).map((entry) => entry.key)).toEqual([key]);
    });
  });

  describe("an upload whose response is lost", () => {
    test("is found to be stored, under one name", async () => {
      await using store = await openAwsFixture();
      store.proxy.inject({ kind: "drop answer" });
      const ref = await store.blobs.put("b1", [Buffer.from("content")]);
      expect(store.proxy.seen.map((line) => line.split(" ")[0])).toEqual(["PUT", "PUT", "HEAD"]);
      expect(`${await contentOf(store.blobs, ref)}`).toBe("content");
      expect(await collect(store.blobs.list())).toHaveLength(1);
    });

    test("is confirmed under its own permit, though others of the client wait for one", async () => {
      const content = randomBytes(300_000);
      const uuids = ["00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-000000000001"];
      const random = { ...systemRandom, uuid: () => uuids.shift() ?? systemRandom.uuid() };
      await using store = await openAwsFixture({}, { random, maxWaitMs: 1_000, maxUnreadMs: 300_000 });
      const stored = await store.blobs.put("b1", [content]);
      const earlier = { Bucket: store.bucket, Key: `b1/blobs/${uuids[0]}`, Body: content };
      await store.s3.send(new PutObjectCommand(earlier));
      const unread = await Promise.all(Array.from({ length: 5 }, () => store.blobs.get(stored, "a")));

      store.proxy.seen.length = 0;
      store.proxy.inject({ kind: "hold" });
      const upload = store.blobs.put("b1", [content], "a");
      while (store.proxy.seen.length === 0) await new Promise(setImmediate);
      const waiting = Promise.allSettled([store.blobs.get(stored, "a")]);
      store.proxy.clear();
      store.proxy.inject({ kind: "no checksum" }, Number.POSITIVE_INFINITY);
      expect((await upload).key).toBe(earlier.Key);
      const [waited] = await waiting;
      for (const stream of [...unread, waited.status === "fulfilled" ? waited.value : null])
        await stream?.cancel();
    });

    test("is not taken for stored when another object has its name", async () => {
      const uuid = "00000000-0000-4000-8000-000000000000";
      const random = { ...systemRandom, uuid: () => uuid };
      await using store = await openAwsFixture({}, { random });
      const other = { Bucket: store.bucket, Key: `b1/blobs/${uuid}`, Body: "CONTENT" };
      await store.s3.send(new PutObjectCommand(other));
      await expect(store.blobs.put("b1", [Buffer.from("content")])).rejects.toThrow("another object");
      await expect(store.blobs.put("b1", [Buffer.from("longer content")])).rejects.toThrow("another object");
    });
  });

  test("a list that lacks its continuation is an outage, and no end", async () => {
    await using store = await openAwsFixture();
    const list = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>";
    const answer = { status: 200, contentType: "application/xml", body: list };
    store.proxy.inject({ kind: "refuse", answer });
    await expect(collect(store.blobs.list())).rejects.toBeInstanceOf(StorageUnavailable);
  });

  test("a large ciphertext waits for its upload in memory, and needs no disk", async () => {
    await using store = await openAwsFixture();
    await using folder = await temporaryFolder();
    await rm(folder.path, { recursive: true });
    const large = randomBytes(3_000_000);
    store.proxy.inject({ kind: "drop answer" }); // it is sent twice
    const ref = await store.blobs.put("b1", [large]);
    expect(large.equals(await contentOf(store.blobs, ref))).toBe(true);
  });

  describe("large ciphertexts that find no room in memory wait on disk for their upload", () => {
    const large = randomBytes(300_000);
    const openFull = () => openAwsFixture({}, { spoolBytes: 0 });

    test("in files that have no name, and do not remain after the upload", async () => {
      await using store = await openFull();
      await using folder = await temporaryFolder();
      store.proxy.inject({ kind: "hold" });
      const stored = store.blobs.put("b1", [large]);
      while (store.proxy.seen.length === 0) await new Promise(setImmediate);
      expect(await openFilesIn(folder)).toHaveLength(1);
      expect(await readdir(folder.path)).toEqual([]);
      store.proxy.clear();
      await stored;
      expect(await openFilesIn(folder)).toEqual([]);
    });

    test("and where the disk refuses that is an outage; small ones and downloads need no disk", async () => {
      await using store = await openFull();
      const ref = await store.blobs.put("b1", [large]);
      await using folder = await temporaryFolder();
      await rm(folder.path, { recursive: true });
      await expect(store.blobs.put("b1", [large])).rejects.toBeInstanceOf(StorageUnavailable);
      await expect(store.blobs.ready()).rejects.toThrow(folder.path);
      const small = await store.blobs.put("b1", [large.subarray(0, 1_000)]);
      expect(await contentOf(store.blobs, small)).toHaveLength(1_000);
      expect(large.equals(await contentOf(store.blobs, ref))).toBe(true);
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
      await using store = await openAwsFixture({ s3Endpoint: `http://127.0.0.1:${port}` }, { retry });
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
    await using store = await openAwsFixture({ bucket: "no-such-bucket" });
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
