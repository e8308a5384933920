import { expect, test } from "bun:test";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import { faulty, type StoreFault } from "./faulty-stores.ts";

test("a fault of a store loses the call or its result, or delays it", async () => {
  const calls: string[] = [];
  let fault: StoreFault | null = null;
  let cancelled = 0;
  const store = faulty(
    {
      async read(id: string) {
        calls.push(id);
        return id;
      },
      async get() {
        return new ReadableStream({ cancel: () => void cancelled++ });
      },
      list: () => "all",
    },
    () => fault,
  );
  expect(await store.read("sound")).toBe("sound");
  fault = "delay";
  const late = store.read("late");
  expect(calls).toEqual(["sound"]);
  expect(await late).toBe("late");
  fault = "lost call";
  expect(store.list()).toBe("all");
  await expect(store.read("lost")).rejects.toBeInstanceOf(StorageUnavailable);
  fault = "lost result";
  await expect(store.read("carried out")).rejects.toBeInstanceOf(StorageUnavailable);
  await expect(store.get()).rejects.toBeInstanceOf(StorageUnavailable);
  expect(calls).toEqual(["sound", "late", "carried out"]);
  expect(cancelled).toBe(1);
});
