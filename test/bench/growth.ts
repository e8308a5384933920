/**
 * What a parser takes for an input of its largest size, beside one of half that size. The inputs are such that a parser
 * that begins again, or that copies what it has, would take four times as long.
 */
import { GetItem$ } from "@aws-sdk/client-dynamodb";
import { ListObjectsV2$ } from "@aws-sdk/client-s3";
import { ambiguityIn } from "../../src/backups/legacy/strict-json.ts";
import { decodeBase64, decodeBase64Url, decodeHex } from "../../src/crypto/encoding.ts";
import { isNestedDeeper } from "../../src/http/body/json-depth.ts";
import { UploadParts } from "../../src/http/body/multipart.ts";
import { boundaryOf, partName } from "../../src/http/body/multipart-headers.ts";
import { clientApp } from "../../src/http/client-app.ts";
import { pathOf } from "../../src/http/path.ts";
import { describeMismatch } from "../../src/http/validation.ts";
import { clientAddress } from "../../src/limits/client-address.ts";
import { readCbor } from "../../src/proofs/passkey/cbor.ts";
import { readClientData } from "../../src/proofs/passkey/client-data.ts";
import { refusePrfResults, withoutPrfResults } from "../../src/proofs/passkey/prf-results.ts";
import { parseRegistration } from "../../src/proofs/passkey/webauthn-credential.ts";
import { canonicalJson } from "../../src/protocol/canonical-json.ts";
import { namedOperations } from "../../src/protocol/named-operations.ts";
import { packVersions, unpackVersions } from "../../src/storage/aws/packed-versions.ts";
import { dynamoDbProtocol, readerOf, s3Protocol } from "../fuzz/bytes/outputs.ts";
import { cpuMs, median, WIDTH } from "./measure.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const ROUNDS = 3;
export interface Growth {
  readonly parser: string;
  readonly input: string;
  readonly bytes: number;
  readonly halfMs: number;
  readonly wholeMs: number;
}

interface Shape {
  readonly parser: string;
  readonly input: string;
  /** The largest input that reaches the parser. */
  readonly maxBytes: number;
  readonly make: (bytes: number) => string;
  readonly parse: (text: string) => unknown;
}

const repeated = (piece: string, before = "", after = "") => {
  return (bytes: number) =>
    before + piece.repeat(Math.floor((bytes - before.length - after.length) / piece.length)) + after;
};

/** `piece` with a number of its own each time. */
const numbered = (piece: string, before: string, after: string) => (bytes: number) => {
  const count = Math.floor(bytes / (piece.length + 7));
  return (
    before + Array.from({ length: count }, (_, index) => piece.replace("#", `${index}`)).join(",") + after
  );
};

const JSON_TEXTS: Readonly<Record<string, (bytes: number) => string>> = {
  "many members": numbered('"a#":1', "{", "}"),
  "members of one name": repeated('"a":1,', "{", '"a":1}'),
  "members whose names are in falling order": (bytes) => {
    const count = Math.floor(bytes / 14);
    return `{${Array.from({ length: count }, (_, index) => `"a${1e6 + count - index}":1`).join(",")}}`;
  },
  "one long name": repeated("a", '{"', '":1}'),
  escapes: repeated("\\u0061", '["', '"]'),
  backslashes: repeated("\\\\", '["', '"]'),
  "long integers": repeated("12345678901234567890,", "[", "1]"),
  "one long integer": repeated("9", "[", "]"),
  "many lists": repeated("[],", "[", "[]]"),
  "no end of brackets": repeated("["),
  "quotation marks": repeated('"'),
};

const SCHEMAS = namedOperations.flatMap(({ wire: { request } }) => request ?? []);

const JSON_PARSERS: Readonly<Record<string, (text: string) => unknown>> = {
  "nesting of JSON": (text) => isNestedDeeper(text, 64),
  "JSON without ambiguity": (text) => ambiguityIn(text),
  "canonical JSON": canonicalJson,
  requests: (text) => SCHEMAS.map((schema) => describeMismatch(schema, JSON.parse(text))),
  "WebAuthn responses": (text) => [
    refusePrfResults(withoutPrfResults(JSON.parse(text))),
    parseRegistration(JSON.parse(text)),
  ],
  "client data": (text) => readClientData(Buffer.from(text)),
};

async function readForm(text: string, pieceBytes: number): Promise<void> {
  const bytes = Buffer.from(text);
  async function* pieces(): AsyncGenerator<Uint8Array, undefined> {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  }
  const parts = new UploadParts('multipart/form-data; boundary="b"', pieces(), MIB);
  while (await parts.advance());
}

const PART = '--b\r\ncontent-disposition: form-data; name="backup"\r\n';
const FORMS: Readonly<Record<string, (bytes: number) => string>> = {
  "line breaks": repeated("\r\n", `${PART}\r\n`),
  "beginnings of a boundary": repeated("\r\n--", `${PART}\r\n`),
  "carriage returns": repeated("\r", `${PART}\r\n`),
  "a long preamble": repeated("\r\n-"),
  "long headers": repeated("a", "--b\r\na:"),
};

const VERSION_ID = "01234567-89ab-4cde-8f01-23456789abcd";
const blob = { key: `b1/blobs/${VERSION_ID}`, size: 1, sha256: "ab".repeat(32) };
const version = {
  versionId: VERSION_ID,
  manifestHash: "cd".repeat(32),
  createdAtMs: 1,
  replacedAtMs: 2,
  blob,
};
const packed = Buffer.from(packVersions("b1", [version]), "base64url")
  .subarray(1)
  .toString("latin1");

async function shapes(): Promise<readonly Shape[]> {
  const readList = readerOf(await s3Protocol(), ListObjectsV2$);
  const readItem = readerOf(await dynamoDbProtocol(), GetItem$);
  const json = Object.entries(JSON_PARSERS).flatMap(([parser, parse]) =>
    Object.entries(JSON_TEXTS).map(([input, make]) => ({ parser, input, maxBytes: 256 * KIB, make, parse })),
  );
  const forms = Object.entries(FORMS).flatMap(([input, make]) => [
    { parser: "forms", input, maxBytes: MIB, make, parse: (text: string) => readForm(text, 64 * KIB) },
    {
      parser: "forms in small pieces",
      input,
      maxBytes: 32 * KIB,
      make,
      parse: (text: string) => readForm(text, 3),
    },
  ]);
  const of = (
    parser: string,
    maxBytes: number,
    parse: Shape["parse"],
    inputs: Readonly<Record<string, Shape["make"]>>,
  ) => Object.entries(inputs).map(([input, make]) => ({ parser, input, maxBytes, make, parse }));
  const xml = (text: string) => readList(Buffer.from(text));
  const bytes = (text: string) => Buffer.from(text, "latin1");
  return [
    ...json,
    ...forms,
    ...of("headers of a part", 16 * KIB, partName, {
      folds: repeated("\r\n ", "content-disposition: form-data"),
      parameters: repeated(";a=b", "content-disposition: form-data"),
      lines: repeated("a:b\r\n"),
      quotes: repeated(';a="\\"', "content-disposition: form-data"),
      spaces: repeated(" ", "content-disposition: form-data;"),
    }),
    ...of("content-types of forms", 16 * KIB, boundaryOf, {
      quotes: repeated('"', "multipart/form-data;"),
      boundaries: repeated(";boundary=", "multipart/form-data", ";"),
      spaces: repeated(" ", "multipart/form-data"),
    }),
    ...of("x-forwarded-for", 16 * KIB, (text) => clientAddress("127.0.0.1", text, 3), {
      commas: repeated(","),
      addresses: repeated("1.2.3.4, "),
      colons: repeated(":"),
      spaces: repeated(" "),
    }),
    ...of("names of clients", 16 * KIB, (text) => clientApp(new Headers({ "client-name": text })), {
      letters: repeated("a"),
      spaces: repeated("a "),
    }),
    ...of("request targets", 16 * KIB, (text) => pathOf(`http://a/${text}`), {
      slashes: repeated("/"),
      dots: repeated("../"),
      escapes: repeated("%2e"),
      queries: repeated("?#"),
    }),
    ...of("base64", 256 * KIB, (text) => [decodeBase64(text), decodeBase64Url(text)], {
      letters: repeated("A"),
      padding: repeated("="),
    }),
    ...of("hex", 256 * KIB, decodeHex, { digits: repeated("a"), letters: repeated("g") }),
    ...of("CBOR", 256 * KIB, (text) => readCbor(bytes(text)), {
      "nested lists": repeated("\x81"),
      "nested maps": repeated("\xa1\x01"),
      "a list": (count) =>
        `\x9a${String.fromCharCode(0, count >> 16, (count >> 8) & 255, count & 255)}${"\x01".repeat(count)}`,
      "a map": (size) => {
        const count = Math.floor(size / 6);
        const head = `\xba${String.fromCharCode(0, count >> 16, (count >> 8) & 255, count & 255)}`;
        const key = (index: number) =>
          `\x1a\x01${String.fromCharCode(index >> 16, (index >> 8) & 255, index & 255)}\x01`;
        return head + Array.from({ length: count }, (_, index) => key(index)).join("");
      },
    }),
    ...of("packed versions", 256 * KIB, (text) => unpackVersions("b1", bytes(text).toString("base64url")), {
      versions: repeated(packed, "\x01"),
    }),
    ...of("lists of S3", 512 * KIB, xml, {
      objects: repeated(
        "<Contents><Key>a</Key><Size>4</Size></Contents>",
        "<ListBucketResult><IsTruncated>false</IsTruncated>",
        "</ListBucketResult>",
      ),
      "nested elements": repeated("<a>"),
      "angle brackets": repeated("<"),
      entities: repeated("&amp;", "<ListBucketResult><Key>", "</Key></ListBucketResult>"),
      ampersands: repeated("&", "<ListBucketResult><Key>", "</Key></ListBucketResult>"),
      comments: repeated("<!---->", "<ListBucketResult>", "</ListBucketResult>"),
      "open comments": repeated("<!--", "<ListBucketResult>"),
      attributes: repeated(' a="b"', "<ListBucketResult", "></ListBucketResult>"),
      "white space": repeated(" ", '<?xml version="1.0"?>'),
    }),
    ...of("responses of DynamoDB", 512 * KIB, (text) => readItem(Buffer.from(text)), {
      attributes: numbered('"a#":{"S":"b"}', '{"Item":{', "}}"),
      "binary attributes": numbered('"a#":{"B":"AA=="}', '{"Item":{', "}}"),
      digits: repeated("1", '{"Item":{"a":{"B":"AA=="},"b":', "}}"),
    }),
  ];
}

export async function measureGrowth(): Promise<readonly Growth[]> {
  const growths: Growth[] = [];
  for (const { parser, input, maxBytes, make, parse } of await shapes()) {
    const [half, whole] = [make(maxBytes / 2), make(maxBytes)];
    const halves: number[] = [];
    const wholes: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      halves.push(await timeOf(() => parse(half)));
      wholes.push(await timeOf(() => parse(whole)));
    }
    growths.push({ parser, input, bytes: maxBytes, halfMs: median(halves), wholeMs: median(wholes) });
  }
  return growths;
}

/** A refusal is a result, however late it comes. */
function timeOf(parse: () => unknown): Promise<number> {
  return cpuMs(async () => {
    try {
      await parse();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }, WIDTH);
}
