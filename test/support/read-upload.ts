/** Reads uploads as the service does, without the service. */
import { Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { ServiceError } from "../../src/errors.ts";
import { withUpload } from "../../src/http/body/upload.ts";
import { createUploadBudget } from "../../src/limits/upload-budget.ts";
import { BOUNDARY, multipartType, part } from "./multipart-body.ts";
import { randomBytes } from "./users.ts";

export const schema = TypeCompiler.Compile(Type.Object({ name: Type.String() }));
export const MAX_BACKUP_BYTES = 1_000;

export const PAYLOAD = part("payload", '{"name":"ä"}', "", ["content-type: application/json"]);
/** Looks like the end of a part in as many ways as it can without being one. */
export const BACKUP_BYTES = Buffer.concat([
  Buffer.from(`\r\n--\r\n--${BOUNDARY.slice(0, -1)}\r\n--${BOUNDARY}`.slice(0, -1)),
  randomBytes(40),
  Buffer.from("\r\n\r\n--\r\r\n-"),
]);
export const BACKUP = part("backup", BACKUP_BYTES, '; filename="b.bin"', [
  "content-type: application/octet-stream",
]);

export interface Sent {
  readonly body: Uint8Array | ReadableStream<Uint8Array>;
  readonly contentType?: string;
}

export async function upload({ body, contentType = multipartType() }: Sent) {
  const init = { method: "POST", headers: { "content-type": contentType }, body: body as never };
  const budget = createUploadBudget(64 * 1024 * 1024);
  const request = new Request("http://localhost/", init);
  return withUpload(
    request,
    schema,
    { maxBackupBytes: MAX_BACKUP_BYTES, budget },
    async (payload, content) => ({
      payload,
      backup: Buffer.concat(await Array.fromAsync(content)),
    }),
  );
}

export async function codeOf(sent: Sent): Promise<string> {
  try {
    await upload(sent);
    return "accepted";
  } catch (error) {
    if (error instanceof ServiceError) return error.code;
    throw error;
  }
}

export const EXPECTED = { payload: { name: "ä" }, backup: BACKUP_BYTES };
