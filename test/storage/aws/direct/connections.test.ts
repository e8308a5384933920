/** What a client receives of a response, and how long it counts as on its way. */
import { describe, expect, test } from "bun:test";
import { Readable } from "node:stream";
import { HttpRequest } from "@smithy/core/protocols";
import { IN_MEMORY_BYTES } from "../../../../src/runtime/sizes.ts";
import { Connections } from "../../../../src/storage/aws/direct/connections.ts";
import { readableBytes } from "../../../../src/storage/aws/direct/response-body.ts";
import { responding, scriptedAws, startScriptedAws } from "../../../support/scripted-aws.ts";

const aws = await scriptedAws();

function requestTo(url: string, change: Partial<HttpRequest> = {}): HttpRequest {
  const { hostname, port } = new URL(url);
  return new HttpRequest({ protocol: "http:", hostname, port: Number(port), path: "/", ...change });
}
const request = () => requestTo(aws.url);
const textOf = async (body: Readable) => Buffer.concat(await Array.fromAsync(body)).toString();

const small = "x".repeat(IN_MEMORY_BYTES);
const large = `${small}x`;
const measured = (body: string) => responding(200, body, { "content-length": `${body.length}` });

describe("a response that is read as a stream", () => {
  test("has arrived as a whole where it is small, and keeps no other request waiting", async () => {
    const connections = new Connections(1);
    aws.respond = measured(small);
    const responses = [];
    for (let n = 0; n < 3; n++) responses.push(await connections.exchange(request(), { isStreamed: true }));
    for (const { body } of responses) {
      expect(body).toBeInstanceOf(Readable);
      expect(await textOf(body)).toBe(small);
    }
    connections.close();
  });

  for (const [how, end] of [
    ["read", textOf],
    ["destroyed", async (body: Readable) => body.destroy()],
  ] as const)
    test(`keeps others waiting where it is large, until it is ${how}`, async () => {
      const connections = new Connections(1);
      aws.respond = measured(large);
      const { body } = await connections.exchange(request(), { isStreamed: true });
      aws.respond = measured("");
      const others = [1, 2].map(() => connections.exchange(request(), { isStreamed: true }));
      await aws.arrived();
      expect(aws.seen).toHaveLength(1);
      await end(body);
      await Promise.all(others);
      const pending = Promise.withResolvers<void>();
      aws.respond = async (response) => {
        await pending.promise;
        response.end();
      };
      const last = [1, 2].map(() => connections.exchange(request(), { isStreamed: true }));
      while (aws.seen.length < 4) await new Promise(setImmediate);
      await aws.arrived();
      expect(aws.seen).toHaveLength(4);
      pending.resolve();
      await Promise.all(last);
      connections.close();
    });

  test.each([small, large])("is bytes where it is no success (%#)", async (content) => {
    const connections = new Connections(1);
    aws.respond = responding(500, content, { "content-length": `${content.length}` });
    for (let n = 0; n < 2; n++) {
      const { statusCode, body } = await connections.exchange(request(), { isStreamed: true });
      expect([statusCode, new TextDecoder().decode(body)]).toEqual([500, content]);
    }
    connections.close();
  });
});

describe("a request", () => {
  test("ends when its signal aborts", async () => {
    const connections = new Connections(1);
    const controller = new AbortController();
    aws.respond = () => controller.abort();
    const options = { isStreamed: false, abortSignal: controller.signal };
    await expect(connections.exchange(request(), options)).rejects.toMatchObject({ name: "AbortError" });
    connections.close();
  });

  test("with a large stream is sent as the stream yields, and with a small one too", async () => {
    for (const content of [large, "small"]) {
      await using other = await startScriptedAws();
      const connections = new Connections(1);
      async function* pieces() {
        yield Buffer.from(content.slice(1));
        while (content === large && other.connections === 0) await new Promise(setImmediate);
        yield Buffer.from(content.slice(0, 1));
      }
      const headers = { "content-length": `${content.length}` };
      const body = Readable.from(pieces(), { objectMode: false });
      await connections.exchange(requestTo(other.url, { method: "PUT", headers, body }), {
        isStreamed: false,
      });
      expect(other.seen).toMatchObject([{ method: "PUT", headers }]);
      expect(other.seen[0]?.body).toBe(content.slice(1) + content.slice(0, 1));
      connections.close();
    }
  });
});

test("bytes that have arrived are a stream of themselves", async () => {
  expect(await Array.fromAsync(readableBytes(Buffer.from("content")))).toEqual([Buffer.from("content")]);
});
