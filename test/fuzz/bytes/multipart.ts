/** The forms of uploads: as the reference reads them, wherever the body is cut into chunks. */
import { UploadParts } from "../../../src/http/body/multipart.ts";
import { boundaryOf } from "../../../src/http/body/multipart-headers.ts";
import { BOUNDARY, multipartBody, multipartType, part } from "../../support/multipart-body.ts";
import { type ReadForm, referenceForm } from "./multipart-reference.ts";
import { bytesOf, type Dice, outcomeOf, outcomeOfAsync, requireThat, type Target, textOf } from "./target.ts";

const MAX_BACKUP_BYTES = 300;
const SHORT = "b";

const PIECES = bytesOf(
  ...[
    "\r",
    "\n",
    "\r\n",
    "\r\n\r\n",
    "-",
    "--",
    `--${SHORT}`,
    `\r\n--${SHORT}`,
    `\r\n--${SHORT}--`,
    `--${SHORT}\r\n\r\n`,
  ],
  ...[
    `--${BOUNDARY}`,
    "content-disposition: form-data; ",
    'name="payload"',
    "name=backup",
    'name="backup"',
    "; ",
    "=",
    '"',
  ],
  ...[
    "\\",
    "\t",
    " ",
    "\r\n ",
    ":",
    "a:b\r\n",
    "; filename*=UTF-8''%41",
    "%",
    "%zz",
    ";",
    "é",
    "\u0000",
    "Content-Disposition :",
  ],
);

/** The whole form, from a body that arrives in these chunks. */
type Read = (contentType: string, chunks: AsyncIterator<Uint8Array, undefined>) => Promise<ReadForm>;

export async function readParts(
  contentType: string,
  chunks: AsyncIterator<Uint8Array, undefined>,
): Promise<ReadForm> {
  const parts = new UploadParts(contentType, chunks, MAX_BACKUP_BYTES);
  while (await parts.advance());
  const text = (part: UploadParts["payload"]) => {
    if (part === null) return null;
    requireThat(part.isComplete, "left a part incomplete");
    const { size } = part;
    return size > MAX_BACKUP_BYTES ? `${size} bytes` : Buffer.from(part.takeAll()).toString("latin1");
  };
  return { payload: text(parts.payload), backup: text(parts.backup) };
}

export function multipartTarget(read: Read = readParts): Target {
  const framing = { boundary: SHORT };
  const parts = [part("payload", '{"a":1}'), part("backup", "\r\n--\r\nbytes", '; filename="f"', ["a: b"])];
  const content = (text: string | null) =>
    text !== null && text.length > MAX_BACKUP_BYTES ? `${text.length} bytes` : text;
  return {
    name: "multipart forms",
    corpus: [
      multipartBody(parts, framing),
      multipartBody(parts.toReversed(), { ...framing, preamble: "first\r\n", epilogue: "" }),
      multipartBody([...parts, part("other", "x")], framing),
      multipartBody([{ disposition: "form-data; name=payload", content: "" }], framing),
    ],
    dictionary: PIECES,
    generate: randomForm,
    async run(input, dice) {
      const expected = referenceForm(input, SHORT);
      let found: ReadForm | null = null;
      const outcome = await outcomeOfAsync(async () => {
        found = await read(multipartType(SHORT), chunksOf(input, dice));
      });
      const wanted = expected && { payload: content(expected.payload), backup: content(expected.backup) };
      requireThat(
        Bun.deepEquals(found, wanted),
        `${outcome}, read ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`,
      );
      return outcome;
    },
  };
}

/** In one piece, byte by byte, or in pieces of any length, now and then empty ones. */
async function* chunksOf(input: Uint8Array, dice: Dice): AsyncGenerator<Uint8Array, undefined> {
  const longest = dice.of([input.length, Math.ceil(input.length / 100), 7, 20, 20, 60]);
  for (let at = 0; at < input.length; ) {
    const length = longest === input.length ? longest : dice.below(longest + 1);
    yield input.subarray(at, at + length);
    at += length;
  }
}

/** Up to 18 parts, of pieces that look like the framing. */
function randomForm(dice: Dice): Uint8Array {
  const several = (most: number) =>
    Buffer.concat(Array.from({ length: dice.below(most) }, () => piece(dice)));
  const count = dice.oneIn(16) ? 15 + dice.below(4) : dice.below(4);
  const names = ["payload", "backup", "other", "other"] as const;
  const written = Array.from({ length: count }, () => {
    const name = count > 4 ? "other" : dice.of(names);
    const disposition = dice.of([
      `form-data; name="${name}"`,
      `form-data;name=${name}`,
      `a; x="\\""; NAME="${name}"`,
    ]);
    return { disposition, content: several(6) };
  });
  const preamble = dice.oneIn(2) ? "" : Buffer.concat([several(3), Buffer.from("\r\n")]).toString("latin1");
  return multipartBody(written, { boundary: SHORT, preamble, epilogue: several(4).toString("latin1") });
}

function piece(dice: Dice): Uint8Array {
  return PIECES[dice.below(PIECES.length)] ?? new Uint8Array();
}

/** The header that names the boundary. */
export function boundaryTarget(read = boundaryOf): Target {
  return {
    name: "content-types of forms",
    corpus: bytesOf(
      multipartType(),
      'multipart/form-data; boundary="a b"',
      'Multipart/Form-Data; charset="x;boundary=no"; Boundary=yes',
      "multipart/form-data;boundary=a*b",
    ),
    dictionary: bytesOf(
      ...[
        ";",
        '"',
        "=",
        " ",
        "boundary=",
        "BOUNDARY=",
        "multipart/form-data",
        "\t",
        "a",
        "é",
        "x".repeat(71),
        "\\",
        "'",
      ],
    ),
    run(input) {
      const text = textOf(input);
      return outcomeOf(() => {
        const boundary = read(text);
        requireThat(/^[^\p{Cc}"\\é]{1,70}$/u.test(boundary) && !boundary.endsWith(" "), "is no boundary");
        requireThat(text.includes(boundary), "made up a boundary");
      });
    },
  };
}
