import { describe, expect, test } from "bun:test";
import { withUpload } from "../../../src/http/body/upload.ts";
import { createUploadBudget } from "../../../src/limits/upload-budget.ts";
import { BOUNDARY, multipartBody, multipartType, type PartText, part } from "../../support/multipart-body.ts";
import {
  BACKUP,
  BACKUP_BYTES,
  codeOf,
  EXPECTED,
  MAX_BACKUP_BYTES,
  PAYLOAD,
  type Sent,
  schema,
  upload,
} from "../../support/read-upload.ts";

const MIB = 1024 * 1024;

function streamOf(chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of chunks) if (piece.length > 0) controller.enqueue(piece);
      controller.close();
    },
  });
}

describe("an upload is read", () => {
  const plain = part("backup", BACKUP_BYTES);
  const cases: readonly (readonly [name: string, sent: Sent])[] = [
    ["with the payload first", { body: multipartBody([PAYLOAD, BACKUP]) }],
    ["with the backup first", { body: multipartBody([BACKUP, PAYLOAD]) }],
    [
      "without filename and part content types",
      { body: multipartBody([part("payload", PAYLOAD.content), plain]) },
    ],
    [
      "with a payload that is a file",
      { body: multipartBody([part("payload", PAYLOAD.content, '; filename="p.json"'), BACKUP]) },
    ],
    [
      "with a payload declared as text",
      {
        body: multipartBody([
          part("payload", PAYLOAD.content, "", ["content-type: text/plain; charset=utf-8"]),
          BACKUP,
        ]),
      },
    ],
    [
      "with a backup declared as JSON",
      {
        body: multipartBody([PAYLOAD, part("backup", BACKUP_BYTES, "", ["content-type: application/json"])]),
      },
    ],
    [
      "with a quoted boundary",
      { body: multipartBody([PAYLOAD, BACKUP]), contentType: `multipart/form-data; boundary="${BOUNDARY}"` },
    ],
    [
      "with another parameter before the boundary",
      {
        body: multipartBody([PAYLOAD, BACKUP]),
        contentType: `multipart/form-data; charset=utf-8; boundary=${BOUNDARY}`,
      },
    ],
    [
      "with a type in capitals",
      { body: multipartBody([PAYLOAD, BACKUP]), contentType: `Multipart/Form-Data; Boundary=${BOUNDARY}` },
    ],
    [
      "with a boundary of one character",
      { body: multipartBody([PAYLOAD, BACKUP], { boundary: "x" }), contentType: multipartType("x") },
    ],
    [
      "with a boundary of 70 characters",
      {
        body: multipartBody([PAYLOAD, BACKUP], { boundary: "b".repeat(70) }),
        contentType: multipartType("b".repeat(70)),
      },
    ],
    [
      "with a boundary of dashes",
      { body: multipartBody([PAYLOAD, BACKUP], { boundary: "-----" }), contentType: multipartType("-----") },
    ],
    [
      "with a preamble",
      { body: multipartBody([PAYLOAD, BACKUP], { preamble: "This is a message in parts.\r\n" }) },
    ],
    ["with an epilogue", { body: multipartBody([PAYLOAD, BACKUP], { epilogue: "\r\nThat was it.\r\n" }) }],
    ["without a line break at its end", { body: multipartBody([PAYLOAD, BACKUP], { epilogue: "" }) }],
    [
      "with parts that nobody knows",
      {
        body: multipartBody([
          part("more", "1"),
          PAYLOAD,
          part("note", "x", '; filename="y"'),
          BACKUP,
          part("last", ""),
        ]),
      },
    ],
    [
      "with a part that nobody knows twice",
      { body: multipartBody([part("more", "1"), PAYLOAD, BACKUP, part("more", "2")]) },
    ],
    [
      "with header names in capitals",
      {
        body: Buffer.from(
          Buffer.from(multipartBody([PAYLOAD, BACKUP]))
            .toString("latin1")
            .replaceAll("content-disposition", "Content-Disposition")
            .replaceAll("content-type", "CONTENT-TYPE"),
          "latin1",
        ),
      },
    ],
    [
      "with further part headers",
      { body: multipartBody([{ ...PAYLOAD, headers: ["x-more: 1", "content-length: 12"] }, BACKUP]) },
    ],
    ...[
      'filename="Łukasz’s 💾.bin"',
      'filename="a\tb"',
      "filename=my backup.bin",
      'filename="C:\\dir\\"',
      'filename="x; name=payload"',
      "",
    ].flatMap((more): [string, Sent][] => {
      const named = (name: string, content: string | Uint8Array) => part(name, content, `; ${more}`);
      const [payload, backup] = [named("payload", PAYLOAD.content), named("backup", BACKUP_BYTES)];
      return [
        [`with a backup called ${more}`, { body: multipartBody([PAYLOAD, backup]) }],
        [`with a payload called ${more}`, { body: multipartBody([payload, BACKUP]) }],
      ];
    }),
    [
      "with the name of a part behind that of its file",
      {
        body: multipartBody([
          { ...PAYLOAD, disposition: 'form-data; filename="日本.json"; Name = payload' },
          BACKUP,
        ]),
      },
    ],
    [
      "with quotes in the name of a file",
      {
        body: multipartBody([
          { ...PAYLOAD, disposition: 'form-data; filename="日\\"; name=\\"x"; name="payload"' },
          BACKUP,
        ]),
      },
    ],
    [
      "with a parameter that ends like the boundary's",
      {
        body: multipartBody([PAYLOAD, BACKUP]),
        contentType: `multipart/form-data; x-boundary=other; boundary=${BOUNDARY}`,
      },
    ],
    [
      "with a backup of exactly the limit",
      { body: multipartBody([PAYLOAD, part("backup", new Uint8Array(MAX_BACKUP_BYTES))]) },
    ],
  ];
  for (const [name, sent] of cases)
    test(name, async () => {
      const expected = name.includes("the limit")
        ? { ...EXPECTED, backup: Buffer.alloc(MAX_BACKUP_BYTES) }
        : EXPECTED;
      expect(await upload(sent)).toEqual(expected);
    });

  for (const [name, parts, boundary] of [
    ["payload first", [PAYLOAD, BACKUP], BOUNDARY],
    ["backup first", [BACKUP, PAYLOAD], BOUNDARY],
    ["a backup that ends in dashes", [PAYLOAD, part("backup", "----\r\n---")], BOUNDARY],
    ["a boundary of dashes", [PAYLOAD, part("backup", "\r\n-\r\n--\r\n---")], "-----"],
  ] as const)
    test(`split in two anywhere: ${name}`, async () => {
      const body = multipartBody(parts, { boundary, epilogue: "\r\n--epilogue--" });
      const whole = await upload({ body, contentType: multipartType(boundary) });
      const different: number[] = [];
      for (let split = 1; split < body.length; split++) {
        const chunks = [body.subarray(0, split), body.subarray(split)];
        const got = await upload({ body: streamOf(chunks), contentType: multipartType(boundary) }).catch(
          () => null,
        );
        if (got === null || !Bun.deepEquals(got, whole)) different.push(split);
      }
      expect(different).toEqual([]);
    });

  test("byte by byte", async () => {
    const body = multipartBody([PAYLOAD, BACKUP]);
    const chunks = Array.from(body, (byte) => Uint8Array.of(byte));
    expect(await upload({ body: streamOf(chunks) })).toEqual(EXPECTED);
  });

  for (const size of [2, 3, 5, 7, 16, 64])
    test(`in chunks of ${size} bytes`, async () => {
      const body = multipartBody([BACKUP, PAYLOAD]);
      const chunks = Array.from({ length: Math.ceil(body.length / size) }, (_, index) =>
        body.subarray(index * size, (index + 1) * size),
      );
      expect(await upload({ body: streamOf(chunks) })).toEqual(EXPECTED);
    });
});

describe("an upload that breaks off", () => {
  for (const [name, parts] of [
    ["payload first", [PAYLOAD, BACKUP]],
    ["backup first", [BACKUP, PAYLOAD]],
  ] as const)
    test(`anywhere is no upload: ${name}`, async () => {
      const body = multipartBody(parts, { epilogue: "" });
      const accepted: [number, string][] = [];
      for (let length = 0; length < body.length; length++) {
        const code = await codeOf({ body: body.slice(0, length) });
        if (code !== "multipart_error") accepted.push([length - body.length, code]);
      }
      expect(accepted).toEqual([]);
    });

  test("by a failure of the connection is no failure of the service", async () => {
    const body = multipartBody([PAYLOAD, BACKUP]);
    const broken = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(body.subarray(0, 100)),
      pull: () => Promise.reject(new Error("connection reset")),
    });
    expect(await codeOf({ body: broken })).toBe("invalid_payload");
  });
});

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

describe("a boundary", () => {
  const withBoundary = (boundary: string, contentType = `multipart/form-data; boundary=${boundary}`) => ({
    body: multipartBody([PAYLOAD, BACKUP], { boundary }),
    contentType,
  });

  test("may have 70 characters, quotes and company", async () => {
    for (const boundary of ["x", "x".repeat(70), "'()+_,-./:=?"])
      expect(await upload(withBoundary(boundary, `multipart/form-data; boundary="${boundary}"`))).toEqual(
        EXPECTED,
      );
    const among = 'Multipart/Form-Data ; charset="a;boundary=b"; Boundary=abc ; x=y';
    expect(await upload(withBoundary("abc", among))).toEqual(EXPECTED);
  });

  // some of these made the parser search for ever
  for (const length of [0, 71, 252, 508, 1_000, 8_000])
    test(`of ${length} characters is refused at once`, async () => {
      expect(await codeOf(withBoundary("B".repeat(length)))).toBe("multipart_error");
    });

  for (const boundary of ["a b ", "é", 'a"b', "a\\b", "a@b"])
    test(`such as ${boundary} is refused`, async () => {
      const body = multipartBody([PAYLOAD, BACKUP]);
      expect(await codeOf({ body, contentType: `multipart/form-data; boundary="${boundary}"` })).toBe(
        "multipart_error",
      );
    });
});

test("a part header that cannot be decoded is refused", async () => {
  const odd = part("backup", BACKUP_BYTES, "; filename*=utf-8''%E0%A4%A");
  expect(await codeOf({ body: multipartBody([PAYLOAD, odd]) })).toBe("multipart_error");
});

test("a body that is slow to search for its boundary lets others have a turn", async () => {
  const boundary = "a".repeat(70); // of content that is all "a", every position may be the end of a delimiter
  const content = Buffer.alloc(2 * MIB, "a");
  const body = multipartBody([PAYLOAD, part("backup", content)], { boundary });
  let turns = 0;
  let timer = setImmediate(function count() {
    turns++;
    timer = setImmediate(count);
  });
  try {
    await withUpload(
      new Request("http://localhost/", {
        method: "POST",
        headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
        body: new Uint8Array(body),
      }),
      schema,
      { maxBackupBytes: content.length, budget: createUploadBudget(64 * MIB) },
      async (_payload, backup) => expect(Buffer.concat(await Array.fromAsync(backup))).toEqual(content),
    );
  } finally {
    clearImmediate(timer);
  }
  expect(turns).toBeGreaterThanOrEqual(content.length / (64 * 1024) - 1); // one between every two pieces
});

describe("a large upload", () => {
  const LARGE = Buffer.alloc(2 * MIB);
  const request = () =>
    new Request("http://localhost/", {
      method: "POST",
      headers: { "content-type": multipartType() },
      body: new Uint8Array(multipartBody([PAYLOAD, part("backup", LARGE)])),
    });

  test("is refused in the middle when its memory has gone to another", async () => {
    const budget = createUploadBudget(4 * MIB);
    const other = budget.admit(
      { address: "192.0.2.1", arrival: { stalledMs: 0 }, mayBeUnread: false, end: () => {} },
      1,
    );
    const options = { maxBackupBytes: LARGE.length, budget };
    const error = await withUpload(request(), schema, options, async (_payload, backup) => {
      other.arrived(3 * MIB, 0);
      await Array.fromAsync(backup);
    }).catch((error) => error);
    expect(error.code).toBe("service_unavailable");
    other[Symbol.dispose]();
    expect(budget.heldBytes).toBe(0);
  });

  test("that cannot be stored fails as the store does, and is read no further", async () => {
    const budget = createUploadBudget(64 * MIB);
    const options = { maxBackupBytes: LARGE.length, budget };
    let arrived = () => 0;
    const error = await withUpload(request(), schema, options, async (_payload, backup, arrivedBytes) => {
      arrived = arrivedBytes;
      for await (const _chunk of backup) throw new Error("the disk is full");
    }).catch((error) => error);
    expect(error.message).toBe("the disk is full");
    expect(arrived()).toBeLessThan(LARGE.length);
    expect(budget.heldBytes).toBe(0);
  });

  test("says how much of it has arrived", async () => {
    const options = { maxBackupBytes: LARGE.length, budget: createUploadBudget(64 * MIB) };
    const sizes = await withUpload(request(), schema, options, async (_payload, backup, arrivedBytes) => {
      const size = Buffer.concat(await Array.fromAsync(backup)).length;
      return [size, arrivedBytes()];
    });
    expect(sizes).toEqual([LARGE.length, LARGE.length]);
  });
});
