/** Requests as bytes, broken in ways that a seed chooses. */
import { multipartBody, multipartType, part } from "../support/multipart-body.ts";
import { chunk, head, LAST_CHUNK } from "../support/raw-http.ts";

export interface RawRequest {
  readonly name: string;
  readonly bytes: Uint8Array;
}

type Random = () => number;

const JSON_PATH = "/v1/retrieve/challenge/keypair";
const UPLOAD_PATH = "/v1/sync";
const MUTATIONS = 12;

/** One request of each kind, with details from the seed. */
export function rawRequests(random: Random): RawRequest[] {
  return Object.entries(KINDS).map(([name, make]) => ({ name, bytes: joined(make(random)) }));
}

type Pieces = readonly (string | Uint8Array)[];

const upTo = (random: Random, limit: number) => random() % limit;
const oneOf = <T>(random: Random, items: readonly [T, ...T[]]): T =>
  items[upTo(random, items.length)] ?? items[0];
const bytesOf = (random: Random, length: number) => Uint8Array.from({ length }, () => random() & 0xff);

const json = (body: string | Uint8Array, headers: Record<string, string | number> = {}): Pieces => [
  head("POST", JSON_PATH, {
    "content-type": "application/json",
    "content-length": Buffer.from(body).length,
    ...headers,
  }),
  body,
];
const chunked = (path: string, type: string, pieces: Pieces): Pieces => [
  head("POST", path, { "content-type": type, "transfer-encoding": "chunked" }),
  ...pieces,
];
const upload = (body: Uint8Array, type = multipartType()): Pieces => [
  head("POST", UPLOAD_PATH, { "content-type": type, "content-length": body.length }),
  body,
];
const validUpload = (random: Random) =>
  multipartBody([
    part("payload", '{"authorization":{}}'),
    part("backup", bytesOf(random, upTo(random, 500))),
  ]);

const KINDS: Readonly<Record<string, (random: Random) => Pieces>> = {
  "many headers": (random) => [
    `GET /health HTTP/1.1\r\nhost: a\r\n${"x-header: value\r\n".repeat(1 + upTo(random, 3_000))}\r\n`,
  ],
  "a long header": (random) => [head("GET", "/health", { "x-long": "a".repeat(upTo(random, 200_000)) })],
  "a strange request id": (random) => [
    head("GET", "/health", {
      "x-request-id": Buffer.from(bytesOf(random, 40))
        .toString("latin1")
        .replace(/[\r\n\0]/g, ""),
    }),
  ],
  "a long path": (random) => [head("POST", `/${"a/".repeat(upTo(random, 20_000))}`, { "content-length": 0 })],
  "a strange path": (random) => [
    head(
      oneOf(random, ["GET", "POST", "BREW", "OPTIONS", "HEAD", "TRACE", "DELETE"]),
      oneOf(random, [
        "/v1/%2e%2e/sync",
        "//v1//sync",
        "/v1/sync/",
        "/v1/sync?a=%",
        "/%00",
        "/%ff%fe",
        "*",
        "http://a/v1/sync",
        "/docs/..%2f..%2fpackage.json",
        "/docs/%E0%A4%A",
      ]),
      {},
    ),
  ],
  "garbage for a head": (random) => [bytesOf(random, 1 + upTo(random, 400)), "\r\n\r\n"],
  "another protocol": (random) => [
    oneOf(random, [
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "\u0016\u0003\u0001\u0002",
      "GET /\r\n\r\n",
      "GET / HTTP/9.9\r\n\r\n",
      "SSH-2.0-x\r\n",
    ]),
  ],
  "bare line feeds": () => ["POST /v1/sync HTTP/1.1\nhost: a\ncontent-length: 2\n\n{}"],
  "a length over the body": (random) => json("{}", { "content-length": 3 + upTo(random, 5_000) }),
  "a length under the body": () => json('{"a":1,"b":2}', { "content-length": 2 }),
  "a length that is none": (random) =>
    json("{}", {
      "content-length": oneOf(random, ["-1", "0x2", "1e3", "99999999999999999999", "2, 2", "NaN", "+2", " "]),
    }),
  "two lengths": () => [
    `POST ${JSON_PATH} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}x`,
  ],
  "length and chunks": () =>
    json(Buffer.concat([chunk("{}"), Buffer.from(LAST_CHUNK)]), { "transfer-encoding": "chunked" }),
  "a huge declared body": () => json("{}", { "content-length": 2 ** 40 }),
  "chunks of a strange size": (random) =>
    chunked(JSON_PATH, "application/json", [
      oneOf(random, [
        "zz\r\n{}\r\n",
        "-1\r\n{}\r\n",
        "ffffffffffffffffff\r\n{}",
        '2;ext="a\r\n{}\r\n',
        "2\n{}\n",
        "\r\n",
        "7fffffffffffffff\r\n{}",
      ]),
      LAST_CHUNK,
    ]),
  "chunks that end early": (random) =>
    chunked(JSON_PATH, "application/json", [chunk("{}").subarray(0, upTo(random, 7))]),
  "many small chunks": (random) =>
    chunked(JSON_PATH, "application/json", [
      ...Array.from({ length: 1 + upTo(random, 2_000) }, () => chunk(" ")),
      chunk("{}"),
      LAST_CHUNK,
    ]),
  "chunks over the limit": () =>
    chunked(JSON_PATH, "application/json", [chunk(new Uint8Array(2 * 1024 * 1024 + 1)), LAST_CHUNK]),
  trailers: () =>
    chunked(JSON_PATH, "application/json", [chunk("{}"), "0\r\nx-trailer: a\r\ncontent-length: 5\r\n\r\n"]),
  "a body that is not UTF-8": (random) =>
    json(Buffer.concat([Buffer.from('{"a":"'), bytesOf(random, 30), Buffer.from([0xff]), Buffer.from('"}')])),
  "members twice": () => json('{"a":1,"a":2,"__proto__":1,"__proto__":2}'),
  "a strange content type": (random) =>
    json("{}", {
      "content-type": oneOf(random, [
        "application/json; charset=utf-16",
        "application/json, text/html",
        ";",
        "application/json\t",
        "multipart/form-data; boundary=a",
        "a".repeat(5_000),
      ]),
    }),
  "a strange content coding": () => json("{}", { "content-encoding": "gzip" }),
  pipelining: (random) => Array.from({ length: 2 + upTo(random, 60) }, () => json("{}")).flat(),
  "pipelining behind an error": () => [...json("{"), ...json("{}")],
  "an expectation": () => json("{}", { expect: "100-continue" }),
  "an upgrade": () => [
    head("GET", "/v1/sync", {
      connection: "upgrade",
      upgrade: "websocket",
      "sec-websocket-key": "AAAA",
      "sec-websocket-version": 13,
    }),
  ],
  "multipart without boundary": (random) => upload(validUpload(random), "multipart/form-data"),
  "multipart of another boundary": (random) =>
    upload(validUpload(random), multipartType(oneOf(random, ["other", '"', "a".repeat(300), "\u00e4"]))),
  "multipart that ends early": (random) => {
    const body = validUpload(random);
    return upload(body.subarray(0, upTo(random, body.length)));
  },
  "multipart with many parts": (random) =>
    upload(multipartBody(Array.from({ length: upTo(random, 400) }, (_, index) => part(`p${index}`, "x")))),
  "multipart with parts twice": () =>
    upload(multipartBody([part("payload", "{}"), part("backup", "x"), part("payload", "{}")])),
  "multipart with a long part head": (random) =>
    upload(multipartBody([part("payload", "{}", "", [`x-a: ${"b".repeat(upTo(random, 50_000))}`])])),
  "multipart inside multipart": () =>
    upload(
      multipartBody([
        part("payload", multipartBody([part("payload", "{}")], { boundary: "inner" })),
        part("backup", "x"),
      ]),
    ),
  "multipart with changed bytes": (random) => upload(changed(random, validUpload(random))),
  "multipart in strange chunks": (random) => {
    const body = validUpload(random);
    const size = 1 + upTo(random, 9);
    const pieces = Array.from({ length: Math.ceil(body.length / size) }, (_, index) =>
      chunk(body.subarray(index * size, (index + 1) * size)),
    );
    return chunked(UPLOAD_PATH, multipartType(), [...pieces, LAST_CHUNK]);
  },
  "a request with changed bytes": (random) => [
    changed(random, joined(oneOf(random, [json('{"a":1}'), upload(validUpload(random))]))),
  ],
};

/** The same bytes with some changed, removed, repeated or inserted. */
function changed(random: Random, bytes: Uint8Array): Uint8Array {
  const result = [...bytes];
  for (let times = 1 + upTo(random, MUTATIONS); times > 0; times--) {
    const place = upTo(random, result.length + 1);
    const some = result.slice(place, place + upTo(random, 20));
    const put = oneOf(random, [[random() & 0xff], [0x0d, 0x0a], [0x2d, 0x2d], [], [0], some]);
    result.splice(place, upTo(random, 4), ...put);
  }
  return Uint8Array.from(result);
}

function joined(pieces: Pieces): Uint8Array {
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
}
