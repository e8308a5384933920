import { describe, expect, test } from "bun:test";
import { withUpload } from "../../../src/http/body/upload.ts";
import { createUploadBudget } from "../../../src/limits/upload-budget.ts";
import { STEP_BYTES } from "../../../src/runtime/sizes.ts";
import { BOUNDARY, changedBody, multipartBody, multipartType, part } from "../../support/multipart-body.ts";
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
const MAX_HEADER_BYTES = 16 * 1024;

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
      "with unknown parts",
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
      "with an unknown part that is repeated",
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

describe("a delimiter", () => {
  for (const padding of [" ", "\t", " \t  "])
    test(`with ${JSON.stringify(padding)} behind it is read`, async () => {
      const body = changedBody(
        [PAYLOAD, BACKUP],
        "\r\ncontent-disposition",
        `${padding}\r\ncontent-disposition`,
      );
      expect(await upload({ body })).toEqual(EXPECTED);
    });

  for (const more of ["x", " x", "-", "-x", "\r", "\n"])
    test(`with ${JSON.stringify(more)} behind it is refused`, async () => {
      const body = changedBody(
        [PAYLOAD, BACKUP],
        "\r\ncontent-disposition",
        `${more}\r\ncontent-disposition`,
      );
      expect(await codeOf({ body })).toBe("multipart_error");
    });

  test("with more white space behind it than headers may have is refused", async () => {
    const padding = " ".repeat(MAX_HEADER_BYTES + 1);
    const body = changedBody(
      [PAYLOAD, BACKUP],
      "\r\ncontent-disposition",
      `${padding}\r\ncontent-disposition`,
    );
    expect(await codeOf({ body })).toBe("multipart_error");
  });
});

test("an odd body is read wherever its chunks end", async () => {
  const folded = changedBody(
    [part("more", "EMPTY"), PAYLOAD, BACKUP],
    "form-data; name",
    "form-data;\r\n name",
  );
  const text = Buffer.from(folded).toString("latin1").replace("\r\nEMPTY\r\n", "\r\n");
  const body = Buffer.from(text.replaceAll("\r\ncontent-disp", " \t\r\ncontent-disp"), "latin1");
  const different: number[] = [];
  for (let split = 1; split < body.length; split++) {
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const piece of [body.subarray(0, split), body.subarray(split)]) controller.enqueue(piece);
        controller.close();
      },
    });
    const got = await upload({ body: stream }).catch(() => null);
    if (!Bun.deepEquals(got, EXPECTED)) different.push(split);
  }
  expect(different).toEqual([]);
});

test("a body that is slow to search for its boundary lets other requests run", async () => {
  const boundary = "a".repeat(70); // of content that is all "a", every position may be the end of a delimiter
  const content = Buffer.alloc(2 * MIB, "a");
  const body = multipartBody([PAYLOAD, part("backup", content)], { boundary });
  let iterations = 0;
  let timer = setImmediate(function count() {
    iterations++;
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
  expect(iterations).toBeGreaterThanOrEqual(content.length / STEP_BYTES - 1); // one between every two pieces
});
