/**
 * The least that a server of contents does on this runtime. It receives a content, hashes it, and passes it on to a file
 * or to S3; or it reads a content from there, hashes it, and sends it in JSON as the service does. It has all of a content
 * in memory, and no proofs, records, limits or retries.
 */
import { createHash, randomUUID } from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { RequestSigner } from "../../src/storage/aws/direct/signature.ts";
import { announce } from "./announce.ts";

interface Place {
  put(name: string, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  get(name: string): Promise<Uint8Array>;
}

const {
  STORAGE_DRIVER = "",
  DATA_DIR = "",
  AWS_ENDPOINT_URL_S3 = "",
  BACKUP_S3_BUCKET = "",
  AWS_REGION: region = "",
  AWS_ACCESS_KEY_ID: accessKeyId = "",
  AWS_SECRET_ACCESS_KEY: secretAccessKey = "",
} = process.env;

const files: Place = {
  async put(name, chunks) {
    const file = await open(join(DATA_DIR, name), "wx");
    const hash = createHash("sha256");
    for await (const chunk of chunks) {
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    hash.digest();
    await file.sync();
    await file.close();
  },
  get: (name) => readFile(join(DATA_DIR, name)),
};

const objects: Place = {
  async put(name, chunks) {
    const hash = createHash("sha256");
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for await (const chunk of chunks) {
      hash.update(chunk);
      pieces.push(new Uint8Array(chunk));
    }
    await send("PUT", name, hash.digest("hex"), new Blob(pieces));
  },
  async get(name) {
    return (await send("GET", name, createHash("sha256").digest("hex"), null)).bytes();
  },
};

const signer = new RequestSigner();

async function send(method: string, name: string, sha256: string, body: Blob | null): Promise<Response> {
  const url = new URL(`${AWS_ENDPOINT_URL_S3}/${BACKUP_S3_BUCKET}/${name}`);
  const { protocol, hostname, port, host, pathname: path } = url;
  const headers = { host, "x-amz-content-sha256": sha256 };
  const request = { method, protocol, hostname, port: Number(port), path, headers };
  signer.sign(request, { accessKeyId, secretAccessKey }, { region, service: "s3" }, Date.now());
  const response = await fetch(url, { method, headers, body });
  if (!response.ok) throw new Error(`S3 responded with ${await response.text()}`);
  return response;
}

const place = STORAGE_DRIVER === "aws" ? objects : files;
announce(async (request) => {
  const [, operation = "", name = ""] = new URL(request.url).pathname.split("/");
  if (operation === "health") return new Response("ok");
  if (operation === "upload") {
    const stored = randomUUID();
    await place.put(stored, request.body ?? new Blob().stream());
    return new Response(stored);
  }
  const content = await place.get(name);
  const sha256 = createHash("sha256").update(content).digest("hex");
  return new Response(`{"backup":"${content.toBase64()}","sha256":"${sha256}"}`);
});
