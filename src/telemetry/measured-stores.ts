import { SMALL_BYTES } from "../runtime/sizes.ts";
import { currentSpan, failureOf } from "../runtime/span.ts";
import type { BlobStore, RecordStore } from "../storage/contract.ts";
import type { LegacySource } from "../storage/legacy.ts";
import type { Outbox } from "../storage/outbox.ts";
import type { Metrics } from "./metrics.ts";

/** Wraps a store: measures the duration and outcome of each call, and makes it a span of the current trace. */
export function measuredRecords(store: RecordStore, metrics: Metrics): RecordStore {
  const timed = timer(metrics, "records");
  return {
    locate: (factor, nonces) => timed("locate", () => store.locate(factor, nonces)),
    isConsumed: (nonces) => timed("isConsumed", () => store.isConsumed(nonces)),
    read: (backupId) => timed("read", () => store.read(backupId)),
    commit: (change) => timed("commit", () => store.commit(change)),
    async consume(nonces, issue, events) {
      const consumption = await timed("consume", () => store.consume(nonces, issue, events));
      return consumption && { release: () => timed("release", () => consumption.release()) };
    },
    readDeleted: (backupId, after) => timed("readDeleted", () => store.readDeleted(backupId, after)),
    readEvents: (logId, page) => timed("readEvents", () => store.readEvents(logId, page)),
    readToken: (id) => timed("readToken", () => store.readToken(id)),
    addToCounter: (id, amount, expiresAtMs) =>
      timed("addToCounter", () => store.addToCounter(id, amount, expiresAtMs)),
    ready: () => timed("ready", () => store.ready()),
    writable: () => timed("writable", () => store.writable()),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** Wraps a store, as {@link measuredRecords}. */
export function measuredBlobs(store: BlobStore, metrics: Metrics): BlobStore {
  const timed = timer(metrics, "blobs");
  return {
    put: (backupId, content, client) => timed("put", () => store.put(backupId, content, client)),
    async get(ref, client) {
      const call = startCall(metrics, "blobs", "get");
      try {
        const content = await call.run(() => store.get(ref, client));
        if (content !== null && ref.size > SMALL_BYTES) return observed(content, call.end);
        call.end();
        return content;
      } catch (error) {
        call.end(error);
        throw error;
      }
    },
    freeBytes: () => store.freeBytes(),
    delete: (key) => timed("delete", () => store.delete(key)),
    ready: () => timed("ready", () => store.ready()),
    writable: () => timed("writable", () => store.writable()),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** Wraps an outbox, as {@link measuredRecords} wraps a store. */
export function measuredOutbox(outbox: Outbox, metrics: Metrics): Outbox {
  const timed = timer(metrics, "outbox");
  return {
    due: (limit) => timed("due", () => outbox.due(limit)),
    claim: (queued, nextAttemptAtMs) => timed("claim", () => outbox.claim(queued, nextAttemptAtMs)),
    settle: (claimed) => timed("settle", () => outbox.settle(claimed)),
    backlog: () => timed("backlog", () => outbox.backlog()),
  };
}

/** Wraps the stores of the other service: measures each call of a request; of a ciphertext, until it is opened. */
export function measuredSource(
  source: LegacySource,
  metrics: Metrics,
): Pick<LegacySource, "metadata" | "rows" | "ciphertextPieces"> {
  const timed = timer(metrics, "other service");
  return {
    metadata: (backupId) => timed("metadata", () => source.metadata(backupId)),
    rows: (factors) => timed("rows", () => source.rows(factors)),
    ciphertextPieces: (backupId, archiveId) =>
      timed("ciphertextPieces", () => source.ciphertextPieces(backupId, archiveId)),
  };
}

/** Wraps a stream. Reports once how its reading ends; a reader that cancels it is not an error. */
function observed(
  content: ReadableStream<Uint8Array>,
  onEnd: (error?: unknown) => void,
): ReadableStream<Uint8Array> {
  const reader = content.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value, done } = await reader.read();
          if (!done) return controller.enqueue(value);
        } catch (error) {
          onEnd(error);
          throw error;
        }
        onEnd();
        controller.close();
      },
      async cancel(reason) {
        onEnd();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

function timer(metrics: Metrics, store: string) {
  return async <T>(name: string, run: () => Promise<T>): Promise<T> => {
    const call = startCall(metrics, store, name);
    try {
      const result = await call.run(run);
      call.end();
      return result;
    } catch (error) {
      call.end(error);
      throw error;
    }
  };
}

function startCall(metrics: Metrics, store: string, call: string) {
  const stop = metrics.storageCalls.startTimer({ store, call });
  const span = currentSpan()?.child(`${store}.${call}`, "internal");
  return {
    run: <T>(work: () => T): T => (span === undefined ? work() : span.run(work)),
    end(error?: unknown): void {
      stop({ outcome: error === undefined ? "ok" : "error" });
      span?.end(error === undefined ? undefined : failureOf(error));
    },
  };
}
