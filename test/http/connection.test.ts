/** What a listener knows about the connection of a request: it leans on `requestIP` and `timeout` of Bun's server. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { startServer } from "../../src/http/listen.ts";
import type { Connection } from "../../src/http/request-context.ts";
import { DRIVERS } from "../drivers.ts";
import { head, openConnection } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const BYTES = 20_000_000; // more than the sockets take without a reader

async function openFixture() {
  const [driver] = DRIVERS;
  if (driver === undefined) throw new Error("no driver");
  const folder = await temporaryFolder();
  const service = await startService(driver);
  const path = join(folder.path, "answer");
  await Bun.write(path, "x".repeat(BYTES));
  const { promise: taken, resolve: take } = Promise.withResolvers<Connection | undefined>();
  const server = startServer(service.services, {
    async fetch(_request, _peerAddress, connection) {
      take(connection);
      return new Response(Bun.file(path), { headers: { "content-length": String(BYTES) } });
    },
  });
  const client = await openConnection(server.url);
  client.pause();
  await client.write(head("GET", "/", {}));
  return {
    client,
    connection: await taken,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await server.stop(0);
      for (const resource of [service, folder]) await resource[Symbol.asyncDispose]();
    },
  };
}

describe("the connection of a request", () => {
  test("is open until the client has the last byte of the response", async () => {
    await using fixture = await openFixture();
    const { client, connection } = fixture;
    await new Promise((resolve) => setTimeout(resolve, 100)); // so that what can be sent is sent
    expect(connection?.isOpen()).toBe(true);
    client.resume();
    expect((await client.answer()).body.length).toBe(BYTES);
    while (connection?.isOpen() !== false) await new Promise(setImmediate);
  });

  test("is not open any more when the client has closed it", async () => {
    await using fixture = await openFixture();
    fixture.client[Symbol.dispose]();
    while (fixture.connection?.isOpen() !== false) await new Promise(setImmediate);
  });

  test("is closed when its client reads nothing for the time it is given", async () => {
    await using fixture = await openFixture();
    fixture.connection?.limitIdle(1);
    while (fixture.connection?.isOpen() !== false) await new Promise((resolve) => setTimeout(resolve, 20));
  });
});
