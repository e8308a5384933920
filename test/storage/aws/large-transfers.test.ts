/** How many large ciphertexts are transferred at a time, who waits for them, and how long they may take. */
import { afterEach, beforeEach, describe, expect, jest, spyOn, test } from "bun:test";
import { rm } from "node:fs/promises";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { IN_MEMORY_BYTES } from "../../../src/runtime/sizes.ts";
import { type AwsBlobsOptions, openAwsBlobs } from "../../../src/storage/aws/blobs.ts";
import {
  BlobDamaged,
  type BlobRef,
  type BlobStore,
  StorageUnavailable,
} from "../../../src/storage/contract.ts";
import { failureOf } from "../../support/failure-of.ts";
import { responding, s3Refusal, scriptedAws } from "../../support/scripted-aws.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const MIB = 1024 * 1024;
const ATTEMPT_MS = 60_000;

const aws = await scriptedAws();

function openBlobs({ retry, ...options }: Partial<AwsBlobsOptions>) {
  return openAwsBlobs(aws.config, {
    random: systemRandom,
    retry: { budgetMs: 60_000, attemptMs: ATTEMPT_MS, firstPauseMs: 0, maxPauseMs: 0, ...retry },
    ...options,
  });
}

const refOf = (size: number): BlobRef => ({ key: `b1/blobs/${size}`, size, sha256: "" });
const large = refOf(IN_MEMORY_BYTES + 1);

const absent = s3Refusal(404, "NoSuchKey");

/** Holds the requests for large ciphertexts, and responds to others. */
function holdLarge() {
  const held: (() => void)[] = [];
  aws.respond = (response, request) => {
    const respond = () => absent(response, request);
    if (request.target.includes(large.key)) held.push(respond);
    else respond();
  };
  return {
    /** Resolves to how many have arrived, once there are so many, and others have had the time to arrive. */
    async count(blobs: BlobStore, atLeast: number): Promise<number> {
      while (held.length < atLeast) await new Promise(setImmediate);
      for (let n = 0; n < 5; n++) await blobs.get(refOf(1));
      return held.length;
    },
    async respondToAll(results: readonly Promise<unknown>[]): Promise<void> {
      let isDone = false;
      const done = Promise.all(results).finally(() => {
        isDone = true;
      });
      while (!isDone) {
        for (const respond of held.splice(0)) respond();
        await new Promise(setImmediate);
      }
      await done;
    },
  };
}

const times = (count: number, run: () => Promise<unknown>) => Array.from({ length: count }, run);

describe("large transfers", () => {
  test("are eight at a time, six of one client, and the others follow them", async () => {
    const waited: number[] = [];
    await using blobs = await openBlobs({
      maxWaitMs: 60_000,
      onPermitWait: (seconds) => void waited.push(seconds),
    });
    const held = holdLarge();
    const results = times(10, () => blobs.get(large, "a"));
    expect(await held.count(blobs, 6)).toBe(6);
    results.push(...times(10, () => blobs.get(large, "b")));
    expect(await held.count(blobs, 8)).toBe(8);
    await held.respondToAll(results);
    expect(aws.seen.filter(({ target }) => target.includes(large.key))).toHaveLength(20);
    expect(waited).toHaveLength(12);
  });

  test("are those of more bytes than are kept in memory", async () => {
    await using blobs = await openBlobs({ maxWaitMs: 0 });
    const held = holdLarge();
    const results = times(6, () => blobs.get(large, "a"));
    await held.count(blobs, 6);
    expect(await blobs.get(refOf(IN_MEMORY_BYTES), "a")).toBeNull();
    expect(await failureOf(blobs.get(large, "a"))).toMatchObject({ name: "NoRoom" });
    await held.respondToAll(results);
  });

  test.each([
    ["are not there", absent, null],
    ["have another size", responding(200, "x", { etag: '"x"', "content-length": "1" }), BlobDamaged],
    ["cannot be read", s3Refusal(403, "AccessDenied"), StorageUnavailable],
  ])("that %s keep no permit", async (_name, respond, expected) => {
    await using blobs = await openBlobs({ maxWaitMs: 0 });
    aws.respond = respond;
    for (let n = 0; n < 9; n++) {
      const outcome = await failureOf(blobs.get(large, "a"));
      if (expected === null) expect(outcome).toBeNull();
      else expect(outcome).toBeInstanceOf(expected);
    }
  });
});

test("large ciphertexts of one client wait for their upload in 16 MiB of memory, and beyond that on disk", async () => {
  await using blobs = await openBlobs({});
  aws.respond = responding(200, "", { etag: '"x"' });
  await using folder = await temporaryFolder();
  await rm(folder.path, { recursive: true });
  const content = new Uint8Array(16 * MIB);
  expect((await blobs.put("b1", [content])).size).toBe(content.length);
  const larger = blobs.put("b1", [content, new Uint8Array(1)]);
  expect(await failureOf(larger)).toBeInstanceOf(StorageUnavailable);
});

describe("a transfer has a second more for each MiB:", () => {
  beforeEach(() => {
    spyOn(performance, "now").mockReturnValue(1); // no time passes
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  /** Of an upload and of a download of a MiB that fail each time. */
  async function attemptsWithin(budgetMs: number): Promise<{ uploads: number; downloads: number }> {
    await using blobs = await openBlobs({ retry: { budgetMs } });
    const count = async (call: () => Promise<unknown>) => {
      aws.seen.length = 0;
      aws.respond = (response, request) =>
        (aws.seen.length < 3 ? responding(503) : responding(403))(response, request);
      expect(await failureOf(call())).toBeInstanceOf(StorageUnavailable);
      return aws.seen.length;
    };
    return {
      uploads: await count(() => blobs.put("b1", [new Uint8Array(MIB)])),
      downloads: await count(() => blobs.get(refOf(MIB))),
    };
  }

  test("a download until it is given up, an upload half of it until its last attempt", async () => {
    expect(await attemptsWithin(-500)).toEqual({ uploads: 1, downloads: 3 });
    expect(await attemptsWithin(-499)).toEqual({ uploads: 3, downloads: 3 });
    expect(await attemptsWithin(-1_000)).toEqual({ uploads: 1, downloads: 1 });
    expect(await attemptsWithin(-999)).toEqual({ uploads: 1, downloads: 3 });
  });

  test("an upload in each attempt", async () => {
    await using blobs = await openBlobs({});
    aws.respond = responding(200, "", { etag: '"x"' });
    using timers = spyOn(globalThis, "setTimeout");
    await blobs.put("b1", [new Uint8Array(2 * MIB)]);
    expect(timers.mock.calls.map(([, ms]) => ms)).toContain(ATTEMPT_MS + 2_000);
  });
});
