/** What RFC 9110, 2046 and 5322 allow and clients do, though hardly any of them does all of it. */
import { describe, expect, test } from "bun:test";
import { multipartBody, part } from "../../support/multipart-body.ts";
import { BACKUP, codeOf, EXPECTED, PAYLOAD, upload } from "../../support/read-upload.ts";

const TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~";
const MAX_HEADER_BYTES = 16 * 1024;

/** The same body with something put in place of each of what it is made of. */
function changed(parts: Parameters<typeof multipartBody>[0], from: string, to: string): Uint8Array {
  const text = Buffer.from(multipartBody(parts)).toString("latin1");
  if (!text.includes(from)) throw new Error("there is nothing to change");
  return Buffer.from(text.replaceAll(from, Buffer.from(to).toString("latin1")), "latin1");
}

describe("a boundary", () => {
  const boundaries = [
    ...["*****", "a&b", "a#b", "a%b"], // of libraries for mobile uploads
    ...Array.from(TOKEN_CHARACTERS, (character) => `a${character}b`),
    TOKEN_CHARACTERS,
  ];
  for (const boundary of boundaries)
    for (const [quoted, value] of [
      ["", boundary],
      [" in quotes", `"${boundary}"`],
    ])
      test(`of ${boundary}${quoted} is read`, async () => {
        const body = multipartBody([PAYLOAD, BACKUP], { boundary });
        expect(await upload({ body, contentType: `multipart/form-data; boundary=${value}` })).toEqual(
          EXPECTED,
        );
      });

  for (const boundary of ["a@b", "a[b]", "a{b}", "a<b>", "a\tb", "a "])
    test(`of ${JSON.stringify(boundary)} is refused`, async () => {
      const body = multipartBody([PAYLOAD, BACKUP], { boundary });
      const contentType = `multipart/form-data; boundary="${boundary}"`;
      expect(await codeOf({ body, contentType })).toBe("multipart_error");
    });
});

describe("a delimiter", () => {
  for (const padding of [" ", "\t", " \t  "])
    test(`with ${JSON.stringify(padding)} behind it is read`, async () => {
      const body = changed([PAYLOAD, BACKUP], "\r\ncontent-disposition", `${padding}\r\ncontent-disposition`);
      expect(await upload({ body })).toEqual(EXPECTED);
    });

  for (const more of ["x", " x", "-", "-x", "\r", "\n"])
    test(`with ${JSON.stringify(more)} behind it is refused`, async () => {
      const body = changed([PAYLOAD, BACKUP], "\r\ncontent-disposition", `${more}\r\ncontent-disposition`);
      expect(await codeOf({ body })).toBe("multipart_error");
    });

  test("with more white space behind it than headers may have is refused", async () => {
    const padding = " ".repeat(MAX_HEADER_BYTES + 1);
    const body = changed([PAYLOAD, BACKUP], "\r\ncontent-disposition", `${padding}\r\ncontent-disposition`);
    expect(await codeOf({ body })).toBe("multipart_error");
  });
});

test("an odd body is read wherever its chunks end", async () => {
  const folded = changed([part("more", "EMPTY"), PAYLOAD, BACKUP], "form-data; name", "form-data;\r\n name");
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

describe("the headers of a part", () => {
  for (const fold of ["\r\n ", "\r\n\t", "\r\n   \t "])
    test(`are read when they are folded by ${JSON.stringify(fold)}`, async () => {
      const body = changed([PAYLOAD, BACKUP], "form-data; name", `form-data;${fold}name`);
      expect(await upload({ body })).toEqual(EXPECTED);
      const early = changed([PAYLOAD, BACKUP], "content-disposition: ", `content-disposition:${fold}`);
      expect(await upload({ body: early })).toEqual(EXPECTED);
    });

  test("are read without content behind them, as the end of a part that nobody knows", async () => {
    const empty = changed([part("more", "EMPTY"), PAYLOAD, BACKUP], "\r\nEMPTY\r\n", "\r\n");
    expect(await upload({ body: empty })).toEqual(EXPECTED);
  });

  test("have one line each, whatever line ends other scripts have", async () => {
    const disposition = 'form-data; filename="\u2028content-disposition: x; name=backup"; name="payload"';
    expect(await upload({ body: multipartBody([{ ...PAYLOAD, disposition }, BACKUP]) })).toEqual(EXPECTED);
  });

  test("may be as long as they may be, and no longer", async () => {
    const withHeader = (length: number) => ({
      body: multipartBody([{ ...PAYLOAD, headers: [`x-more: ${"x".repeat(length)}`] }, BACKUP]),
    });
    expect(await upload(withHeader(MAX_HEADER_BYTES - 100))).toEqual(EXPECTED);
    expect(await codeOf(withHeader(MAX_HEADER_BYTES))).toBe("multipart_error");
  });

  test("are needed", async () => {
    const none = changed(
      [PAYLOAD, BACKUP, part("more", "1")],
      'content-disposition: form-data; name="more"\r\n',
      "",
    );
    expect(await codeOf({ body: none })).toBe("multipart_error");
  });
});
