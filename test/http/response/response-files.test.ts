import { describe, expect, spyOn, test } from "bun:test";
import { readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { createResponseFiles, removeAbandonedResponses } from "../../../src/http/response/response-files.ts";
import { createBackground } from "../../../src/runtime/background.ts";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { createLogger } from "../../../src/telemetry/logger.ts";
import { errorOf } from "../../support/error-of.ts";
import { head, openConnection } from "../../support/raw-http.ts";
import { openFilesIn, temporaryFolder } from "../../support/temporary-folder.ts";

async function openFixture() {
  const folder = await temporaryFolder();
  const logged: string[] = [];
  const destination = { write: (line: string) => void logged.push(line) };
  const background = createBackground(await createLogger({ level: "info", format: "json", destination }));
  return {
    folder: folder.path,
    logged,
    background,
    files: createResponseFiles({ random: systemRandom, background }),
    async [Symbol.asyncDispose]() {
      await background.settled();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function* texts(...all: readonly string[]) {
  yield* all;
}

describe("a response in a file", () => {
  test("is what it is made of, wherever the characters fall", async () => {
    await using fixture = await openFixture();
    const all = ["x".repeat(256 * 1024 - 1), "äöü€😀", "", "😀".repeat(200_000), "z"];
    const file = await fixture.files.make(texts(...all));
    const response = file.send();
    expect(response.headers.get("content-type")).toBe("application/json");
    expect((await response.text()) === all.join("")).toBe(true);
    await file.close();
  });

  test("is readable by its owner only, and loses its name once it is being sent", async () => {
    await using fixture = await openFixture();
    const { files, folder, background } = fixture;
    const file = await files.make(texts("x".repeat(1_000_000)));
    const [name = ""] = await readdir(folder);
    expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
    await using server = Bun.serve({ port: 0, fetch: () => file.send() });
    const response = await fetch(server.url);
    await background.settled();
    expect(await readdir(folder)).toEqual([]);
    expect(response.headers.get("content-length")).toBe("1000000");
    expect((await response.text()).length).toBe(1_000_000);
    await file.close();
  });

  test("waits until it is sent or discarded", async () => {
    await using fixture = await openFixture();
    const [sent, discarded] = [await fixture.files.make(texts("a")), await fixture.files.make(texts("b"))];
    await new Promise((resolve) => setTimeout(resolve, 300)); // three times as long as a file that is sent has a name
    expect(await readdir(fixture.folder)).toHaveLength(2);
    expect(await sent.send().text()).toBe("a");
    await sent.close();
    await discarded.discard();
    await fixture.background.settled();
    expect(await readdir(fixture.folder)).toEqual([]);
  });

  test("whose making fails leaves nothing", async () => {
    await using fixture = await openFixture();
    async function* failing() {
      yield "x".repeat(1_000_000);
      throw new Error("the store is gone");
    }
    const error = await fixture.files.make(failing()).catch((error) => error);
    expect(error.message).toBe("the store is gone");
    expect(await readdir(fixture.folder)).toEqual([]);
    expect(fixture.logged).toEqual([]);
  });

  test("that is cut off takes no disk, and its client gets neither the rest nor another response", async () => {
    await using fixture = await openFixture();
    const bytes = 20_000_000; // more than the sockets take without a reader
    const file = await fixture.files.make(texts("x".repeat(bytes)));
    const requested = Promise.withResolvers<Request>();
    await using server = Bun.serve({
      port: 0,
      fetch(request) {
        if (request.url.endsWith("/next")) return new Response("next");
        requested.resolve(request);
        return file.send();
      },
    });
    using connection = await openConnection(server.url.href);
    connection.pause();
    await connection.write(head("GET", "/", {}));
    const request = await requested.promise;
    await fixture.background.settled(); // it has lost its name
    const held = async () =>
      (await openFilesIn({ path: fixture.folder })).reduce((sum, { blocks }) => sum + blocks, 0);
    expect(await held()).toBeGreaterThan(0);
    await file.cutOff();
    expect(await held()).toBe(0);
    connection.resume();
    while (server.requestIP(request) !== null) await new Promise(setImmediate);
    await connection.write(head("GET", "/next", {}));
    const error = await connection.answer().catch((error) => error);
    expect(error.message).toContain("the connection ended after");
    const [, received] = /after (\d+) bytes/.exec(error.message) ?? [];
    expect(Number(received)).toBeLessThan(bytes);
    expect(connection.received().includes("next")).toBe(false);
  });

  test("is refused as unavailable where there is no folder for it", async () => {
    await using fixture = await openFixture();
    await rm(fixture.folder, { recursive: true });
    const { code, message } = await errorOf(() => fixture.files.make(texts("x")));
    expect([code, message]).toEqual(["service_unavailable", expect.stringContaining(fixture.folder)]);
  });

  test("of another user of the machine is left alone", async () => {
    await using fixture = await openFixture();
    const path = join(fixture.folder, "backup-service-answer-old");
    await Bun.write(path, "x");
    const date = new Date(Date.now() - 130_000);
    await utimes(path, date, date);
    const { uid } = await stat(path);
    using _ = spyOn(process, "geteuid").mockReturnValue(uid + 1);
    const stop = removeAbandonedResponses(fixture.background);
    await fixture.background.settled();
    stop();
    expect(await readdir(fixture.folder)).toEqual(["backup-service-answer-old"]);
  });

  test("that a killed process left is removed at the start, and nothing else is", async () => {
    await using fixture = await openFixture();
    const { folder, background, logged } = fixture;
    for (const [name, ageMs] of [
      ["backup-service-answer-old", 130_000],
      ["backup-service-answer-recent", 60_000],
      ["another-program", 130_000],
    ] as const) {
      const path = join(folder, name);
      await Bun.write(path, "x");
      const date = new Date(Date.now() - ageMs);
      await utimes(path, date, date);
    }
    const [stopOne, stopOther] = [removeAbandonedResponses(background), removeAbandonedResponses(background)];
    await background.settled();
    stopOne?.();
    stopOther?.();
    expect((await readdir(folder)).toSorted()).toEqual(["another-program", "backup-service-answer-recent"]);
    expect(logged).toEqual([]);
  });
});
