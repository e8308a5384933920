/** Direct clients over TLS: whom they trust is settled as for every other program of the runtime. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Certificate, createCertificate } from "../../../support/certificate.ts";
import { runBun } from "../../../support/run-bun.ts";

const PROGRAM = Bun.fileURLToPath(import.meta.resolve("./read-both-stores.ts"));
const NO_OBJECT = "<Error><Code>NoSuchKey</Code></Error>";

describe("a direct client over TLS", () => {
  let folder: string;
  let certificate: Certificate;
  let server: Server;
  let port: number;
  const seen: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "backup-service-tls-"));
    certificate = await createCertificate(folder, "IP:127.0.0.1");
    const [cert, key] = await Promise.all([readFile(certificate.certificate), readFile(certificate.key)]);
    server = createServer({ cert, key }, (request, response) => {
      seen.push(`${request.method} ${request.headers["x-amz-target"] ?? request.url}`);
      const isDynamoDb = "x-amz-target" in request.headers;
      request.resume().on("end", () => {
        if (isDynamoDb) response.end("{}");
        else response.writeHead(404, { "content-type": "application/xml" }).end(NO_OBJECT);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the server has no port");
    port = address.port;
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true, force: true });
  });

  async function reading(host: string, trusted: Certificate | null) {
    seen.length = 0;
    const url = `https://${host}:${port}`;
    const { output, errors } = await runBun([PROGRAM], {
      env: {
        STORAGE_DRIVER: "aws",
        AWS_REGION: "eu-west-1",
        AWS_ACCESS_KEY_ID: "test",
        AWS_SECRET_ACCESS_KEY: "test-secret",
        AWS_ENDPOINT_URL_S3: url,
        AWS_ENDPOINT_URL_DYNAMODB: url,
        BACKUP_S3_BUCKET: "bucket",
        ...(trusted === null ? {} : { NODE_EXTRA_CA_CERTS: trusted.certificate }),
      },
    });
    expect(errors).toBe("");
    return { outcome: JSON.parse(output), seen: seen.toSorted() };
  }

  test("reads from stores whose certificate NODE_EXTRA_CA_CERTS names", async () => {
    expect(await reading("127.0.0.1", certificate)).toEqual({
      outcome: { record: null, blob: null },
      seen: ["GET /bucket/b1/blobs/1?x-id=GetObject", "POST DynamoDB_20120810.GetItem"],
    });
  });

  test("sends nothing to stores whose certificate nobody vouches for", async () => {
    expect(await reading("127.0.0.1", null)).toEqual({
      outcome: refused("DEPTH_ZERO_SELF_SIGNED_CERT"),
      seen: [],
    });
  });

  test("sends nothing to stores whose certificate is for another name", async () => {
    const outcome = refused("ERR_TLS_CERT_ALTNAME_INVALID");
    expect(await reading("localhost", certificate)).toEqual({ outcome, seen: [] });
  });
});

function refused(code: string) {
  return { record: ["StorageUnavailable", code], blob: ["StorageUnavailable", code] };
}
