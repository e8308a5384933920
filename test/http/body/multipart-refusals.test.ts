import { describe, expect, test } from "bun:test";
import { BOUNDARY, multipartBody, multipartType, type PartText, part } from "../../support/multipart-body.ts";
import { BACKUP, codeOf, MAX_BACKUP_BYTES, PAYLOAD, type Sent } from "../../support/read-upload.ts";

const MIB = 1024 * 1024;

describe("an upload is refused", () => {
  const twice = (text: PartText) => multipartBody([PAYLOAD, BACKUP, text]);
  const cases: readonly (readonly [name: string, sent: Sent, code: string])[] = [
    ["that is JSON", { body: Buffer.from("{}"), contentType: "application/json" }, "multipart_error"],
    [
      "of another multipart type",
      { body: multipartBody([PAYLOAD, BACKUP]), contentType: `multipart/mixed; boundary=${BOUNDARY}` },
      "multipart_error",
    ],
    [
      "without boundary",
      { body: multipartBody([PAYLOAD, BACKUP]), contentType: "multipart/form-data" },
      "multipart_error",
    ],
    [
      "with an empty boundary",
      { body: multipartBody([PAYLOAD, BACKUP]), contentType: "multipart/form-data; boundary=" },
      "multipart_error",
    ],
    [
      "with another boundary than it declares",
      { body: multipartBody([PAYLOAD, BACKUP]), contentType: multipartType("other") },
      "multipart_error",
    ],
    ["without content-type", { body: multipartBody([PAYLOAD, BACKUP]), contentType: "" }, "multipart_error"],
    ["that is empty", { body: Buffer.alloc(0) }, "multipart_error"],
    ["that is noise", { body: Buffer.alloc(5_000, 7) }, "multipart_error"],
    ["with two payloads", { body: twice(PAYLOAD) }, "multipart_error"],
    ["with two backups", { body: twice(BACKUP) }, "multipart_error"],
    [
      "with 17 parts",
      { body: multipartBody([PAYLOAD, BACKUP, ...Array.from({ length: 15 }, () => part("x", ""))]) },
      "multipart_error",
    ],
    [
      "with huge part headers",
      { body: multipartBody([{ ...PAYLOAD, headers: [`x-more: ${"x".repeat(100_000)}`] }, BACKUP]) },
      "multipart_error",
    ],
    [
      "with a great many part headers",
      {
        body: multipartBody([
          { ...PAYLOAD, headers: Array.from({ length: 5_000 }, (_, index) => `x-${index}: 1`) },
          BACKUP,
        ]),
      },
      "multipart_error",
    ],
    [
      "with part headers that are none",
      { body: multipartBody([{ ...PAYLOAD, headers: ["no colon here"] }, BACKUP]) },
      "multipart_error",
    ],
    [
      "with a part without name",
      { body: multipartBody([{ disposition: "form-data", content: "x" }, PAYLOAD, BACKUP]) },
      "multipart_error",
    ],
    ["without parts", { body: Buffer.from(`--${BOUNDARY}--\r\n`) }, "missing_payload_field"],
    ["without payload", { body: multipartBody([BACKUP]) }, "missing_payload_field"],
    [
      "that hides the name of the payload behind more than any file is called",
      {
        body: multipartBody([
          { ...PAYLOAD, disposition: `form-data; ${';a="'.repeat(600)}; name=payload` },
          BACKUP,
        ]),
      },
      "missing_payload_field",
    ],
    [
      "with a payload of another case",
      { body: multipartBody([part("Payload", PAYLOAD.content), BACKUP]) },
      "missing_payload_field",
    ],
    ["with an empty payload", { body: multipartBody([part("payload", ""), BACKUP]) }, "invalid_payload"],
    [
      "with a payload that is no JSON",
      { body: multipartBody([part("payload", "{"), BACKUP]) },
      "invalid_payload",
    ],
    [
      "with a payload that is not UTF-8",
      { body: multipartBody([part("payload", Buffer.from('{"name":"ä"}', "latin1")), BACKUP]) },
      "invalid_payload",
    ],
    [
      "with a payload of another shape",
      { body: multipartBody([part("payload", '{"name":1}'), BACKUP]) },
      "invalid_payload",
    ],
    [
      "with a payload over 1 MiB",
      { body: multipartBody([part("payload", Buffer.alloc(MIB + 1, 32)), BACKUP]) },
      "content_too_large",
    ],
    ["without backup", { body: multipartBody([PAYLOAD]) }, "missing_backup_field"],
    ["with an empty backup", { body: multipartBody([PAYLOAD, part("backup", "")]) }, "empty_backup_file"],
    [
      "with a backup over the limit",
      { body: multipartBody([PAYLOAD, part("backup", new Uint8Array(MAX_BACKUP_BYTES + 1))]) },
      "content_too_large",
    ],
    [
      "that is too large as a whole",
      { body: multipartBody([PAYLOAD, BACKUP, part("more", new Uint8Array(MIB + 1_001))]) },
      "content_too_large",
    ],

    [
      "by its framing before its payload",
      { body: multipartBody([part("payload", "{"), BACKUP]).subarray(0, -8) },
      "multipart_error",
    ],
    [
      "by the missing payload before the missing backup",
      { body: multipartBody([part("x", "")]) },
      "missing_payload_field",
    ],
    [
      "by the payload before the missing backup",
      { body: multipartBody([part("payload", "{")]) },
      "invalid_payload",
    ],
    [
      "by the payload before the empty backup",
      { body: multipartBody([part("backup", ""), part("payload", "{")]) },
      "invalid_payload",
    ],
    [
      "by the payload before the backup's size",
      { body: multipartBody([part("backup", new Uint8Array(MAX_BACKUP_BYTES + 1)), part("payload", "{}")]) },
      "invalid_payload",
    ],
    [
      "by the missing payload before the empty backup",
      { body: multipartBody([part("backup", "")]) },
      "missing_payload_field",
    ],
  ];
  for (const [name, sent, code] of cases)
    test(name, async () => {
      expect(await codeOf(sent)).toBe(code);
    });
});
