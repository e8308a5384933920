/**
 * An S3 endpoint for tests, in memory and strict: it honours `If-None-Match: *`, checks every checksum it is given,
 * decodes `aws-chunked` bodies, and refuses what S3 refuses. It knows the operations that this service uses.
 */
import { createHash, randomUUID } from "node:crypto";
import { BadRequest, type ReceivedBody, receiveBody } from "./s3-body.ts";

interface StoredObject {
  readonly content: Uint8Array;
  /** Headers that GET and HEAD give back. */
  readonly headers: Readonly<Record<string, string>>;
  readonly sha256: string;
  readonly storedAt: Date;
}

interface Bucket {
  readonly objects: Map<string, StoredObject>;
  /** The bodies of PUT ?versioning and the like. */
  readonly settings: Map<string, string>;
}

export interface S3Endpoint {
  readonly url: string;
  stop(): Promise<void>;
}

export interface S3EndpointOptions {
  /** Keys on a page of a list; S3 has 1000. */
  readonly pageKeys?: number;
  /** Settings of buckets that this endpoint does not implement, such as `publicAccessBlock`. */
  readonly unsupported?: readonly string[];
}

/** What GET answers while a setting of a bucket was never put. */
const UNSET: Readonly<Record<string, { status: number; body: string }>> = {
  versioning: { status: 200, body: "<VersioningConfiguration/>" },
  publicAccessBlock: { status: 404, body: errorXml("NoSuchPublicAccessBlockConfiguration") },
  lifecycle: { status: 404, body: errorXml("NoSuchLifecycleConfiguration") },
  encryption: { status: 404, body: errorXml("ServerSideEncryptionConfigurationNotFoundError") },
};

export function startS3Endpoint({ pageKeys = 1000, unsupported = [] }: S3EndpointOptions = {}): S3Endpoint {
  const buckets = new Map<string, Bucket>();

  async function handle(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (!request.headers.get("authorization")?.startsWith("AWS4-HMAC-SHA256 "))
      return fail(403, "AccessDenied");
    const body = await receiveBody(request);
    const [, bucketName = "", key = ""] = /^\/([^/]*)\/?(.*)$/s.exec(decodeURIComponent(url.pathname)) ?? [];
    if (key === "" && request.method === "PUT" && url.searchParams.size === 0) {
      const problem = placeProblem(request.headers.get("authorization") ?? "", body.content);
      if (problem !== null) return fail(400, problem);
      if (buckets.has(bucketName)) return fail(409, "BucketAlreadyOwnedByYou");
      buckets.set(bucketName, { objects: new Map(), settings: new Map() });
      return new Response(null);
    }
    const bucket = buckets.get(bucketName);
    if (bucket === undefined) return fail(404, "NoSuchBucket");
    if (key === "" && request.method === "DELETE" && url.searchParams.size === 0) {
      if (bucket.objects.size > 0) return fail(409, "BucketNotEmpty");
      buckets.delete(bucketName);
      return new Response(null, { status: 204 });
    }
    return key === ""
      ? onBucket(bucket, request.method, url.searchParams, body)
      : onObject(bucket, key, request, body);
  }

  function onBucket(bucket: Bucket, method: string, query: URLSearchParams, body: ReceivedBody): Response {
    if (method === "HEAD") return new Response(null);
    if (query.get("list-type") === "2") return list(bucket, query, pageKeys);
    const setting = Object.keys(UNSET).find((name) => query.has(name));
    if (setting === undefined || unsupported.includes(setting)) return fail(501, "NotImplemented");
    if (method === "PUT") {
      bucket.settings.set(setting, new TextDecoder().decode(body.content));
      return new Response(null);
    }
    const stored = bucket.settings.get(setting);
    const unset = UNSET[setting];
    return stored === undefined ? xml(unset?.body ?? "", unset?.status) : xml(stored);
  }

  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 60,
    async fetch(request) {
      try {
        return await handle(request);
      } catch (error) {
        if (error instanceof BadRequest) return fail(error.status, error.code);
        throw error;
      }
    },
  });
  server.unref(); // it ends with this process, and does not keep it
  return { url: `http://127.0.0.1:${server.port}`, stop: () => server.stop(true) };
}

/** A bucket is made in the region that the request is signed for, which it names, unless that is us-east-1. */
function placeProblem(authorization: string, body: Uint8Array): string | null {
  const [, region = ""] = /Credential=[^/]+\/\d+\/([^/]+)\/s3\//.exec(authorization) ?? [];
  const [, place] = /<LocationConstraint>([^<]*)</.exec(new TextDecoder().decode(body)) ?? [];
  if (region === "us-east-1") return place === undefined ? null : "InvalidLocationConstraint";
  return place === region ? null : "IllegalLocationConstraintException";
}

function onObject(bucket: Bucket, key: string, request: Request, body: ReceivedBody): Response {
  switch (request.method) {
    case "PUT":
      return put(bucket, key, request.headers, body);
    case "GET":
    case "HEAD": {
      const object = bucket.objects.get(key);
      if (object === undefined) return fail(404, "NoSuchKey");
      const condition = request.headers.get("if-match");
      if (condition !== null && condition !== object.headers.etag) return fail(412, "PreconditionFailed");
      const range = request.headers.get("range");
      const headers: Record<string, string> = {
        ...object.headers,
        "content-length": `${object.content.length}`,
        "last-modified": object.storedAt.toUTCString(),
        "x-amz-request-id": randomUUID(),
      };
      if (request.headers.get("x-amz-checksum-mode") === "ENABLED")
        headers["x-amz-checksum-sha256"] = object.sha256;
      if (range !== null && request.method === "GET") return partOf(object.content, range, headers);
      return new Response(request.method === "GET" ? object.content : null, { headers });
    }
    case "DELETE":
      bucket.objects.delete(key);
      return new Response(null, { status: 204 });
    default:
      return fail(405, "MethodNotAllowed");
  }
}

/** Of the forms of a range, the one that this service asks for: from a position to the end. */
function partOf(content: Uint8Array, range: string, headers: Record<string, string>): Response {
  const [, from] = /^bytes=(\d+)-$/.exec(range) ?? [];
  if (from === undefined) return fail(501, "NotImplemented");
  const part = content.subarray(Number(from));
  if (part.length === 0) return fail(416, "InvalidRange");
  headers["content-length"] = `${part.length}`;
  headers["content-range"] = `bytes ${from}-${content.length - 1}/${content.length}`;
  return new Response(new Uint8Array(part), { status: 206, headers });
}

function put(bucket: Bucket, key: string, headers: Headers, body: ReceivedBody): Response {
  const condition = headers.get("if-none-match");
  if (condition !== null && condition !== "*") return fail(501, "NotImplemented");
  if (condition === "*" && bucket.objects.has(key)) return fail(412, "PreconditionFailed");
  const answered: Record<string, string> = {
    etag: `"${createHash("md5").update(body.content).digest("hex")}"`,
  };
  for (const name of ["x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"]) {
    const value = headers.get(name);
    if (value !== null) answered[name] = value;
  }
  bucket.objects.set(key, {
    content: body.content,
    headers: { ...answered, "content-type": headers.get("content-type") ?? "binary/octet-stream" },
    sha256: createHash("sha256").update(body.content).digest("base64"),
    storedAt: new Date(),
  });
  return new Response(null, { headers: answered });
}

function list({ objects }: Bucket, query: URLSearchParams, pageKeys: number): Response {
  const prefix = query.get("prefix") ?? "";
  const after = query.get("continuation-token") ?? query.get("start-after") ?? "";
  const limit = Math.min(Number(query.get("max-keys") ?? pageKeys), pageKeys);
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
  const page = keys.slice(0, limit);
  const truncated = page.length < keys.length;
  const contents = page.map((key) => {
    const object = objects.get(key);
    const modified = object?.storedAt.toISOString().replace(/\.\d+/, ".000");
    return `<Contents><Key>${Bun.escapeHTML(key)}</Key><Size>${object?.content.length}</Size><LastModified>${modified}</LastModified></Contents>`;
  });
  const next = truncated
    ? `<NextContinuationToken>${Bun.escapeHTML(page.at(-1) ?? "")}</NextContinuationToken>`
    : "";
  return xml(
    `<ListBucketResult><IsTruncated>${truncated}</IsTruncated><KeyCount>${page.length}</KeyCount>${next}${contents.join("")}</ListBucketResult>`,
  );
}

function fail(status: number, code: string): Response {
  return xml(errorXml(code), status);
}

function errorXml(code: string): string {
  return `<Error><Code>${code}</Code><Message>${code}</Message></Error>`;
}

function xml(body: string, status = 200): Response {
  return new Response(`<?xml version="1.0" encoding="UTF-8"?>${body}`, {
    status,
    headers: { "content-type": "application/xml" },
  });
}
