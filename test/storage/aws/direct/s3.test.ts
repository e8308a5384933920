/** Which responses of S3 are taken for another's. */
import { describe, expect, test } from "bun:test";
import { HttpResponse } from "@smithy/core/protocols";
import { readableBytes } from "../../../../src/storage/aws/direct/response-body.ts";
import { S3, signWithKnownHash } from "../../../../src/storage/aws/direct/s3.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const ERROR = bytes("<Error><Code>InternalError</Code></Error>");

function inspected(statusCode: number, body: unknown, headers: Record<string, string> = {}): HttpResponse {
  const response = new HttpResponse({ statusCode, headers, body });
  S3.inspect?.(response);
  return response;
}

describe("a response of S3", () => {
  test.each([
    ["an error", ERROR],
    ["a single byte", bytes("<")],
    ["another list", bytes("<ListBucketResults/>")],
  ])("that is a success with %s is a failure of the server", (_name, body) => {
    for (const status of [200, 299]) expect(inspected(status, body).statusCode).toBe(503);
  });

  test.each([
    ["nothing", bytes("")],
    ["no body", undefined],
    ["a list", bytes("<ListBucketResult/>")],
    ["a list and what XML begins with", bytes(' \n<?xml version="1.0"?>\n<ListBucketResult xmlns="x">')],
    ["an object", readableBytes(ERROR)],
  ])("that is a success with %s stays one", (_name, body) => {
    expect(inspected(200, body).statusCode).toBe(200);
  });

  test("that is no success stays what it is", () => {
    for (const status of [300, 404]) expect(inspected(status, ERROR).statusCode).toBe(status);
  });

  test("loses the time at which it expires, and nothing else", () => {
    expect(inspected(200, bytes(""), { expires: "0", etag: "x" }).headers).toEqual({ etag: "x" });
  });
});

test("a body is signed with the hash that is known of it", () => {
  const headers: Record<string, string> = {
    "x-amz-checksum-sha256": Buffer.from("00ff", "hex").toString("base64"),
  };
  signWithKnownHash({ headers });
  expect(headers["x-amz-content-sha256"]).toBe("00ff");
  const none = {};
  signWithKnownHash({ headers: none });
  expect(none).toEqual({});
});
