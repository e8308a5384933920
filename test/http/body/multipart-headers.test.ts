/** What RFC 9110, 2046 and 5322 allow and clients do, though hardly any of them does all of it. */
import { describe, expect, test } from "bun:test";
import { changedBody, multipartBody, part } from "../../support/multipart-body.ts";
import { BACKUP, BACKUP_BYTES, codeOf, EXPECTED, PAYLOAD, upload } from "../../support/read-upload.ts";

const TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~";
const MAX_HEADER_BYTES = 16 * 1024;

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

describe("a boundary in a content-type", () => {
  const withBoundary = (boundary: string, contentType = `multipart/form-data; boundary=${boundary}`) => ({
    body: multipartBody([PAYLOAD, BACKUP], { boundary }),
    contentType,
  });

  test("may have 70 characters, and every character that RFC 2046 allows", async () => {
    for (const boundary of ["x", "x".repeat(70), "'()+_,-./:=?"])
      expect(await upload(withBoundary(boundary, `multipart/form-data; boundary="${boundary}"`))).toEqual(
        EXPECTED,
      );
    const among = 'Multipart/Form-Data ; charset="a;boundary=b"; Boundary=abc ; x=y';
    expect(await upload(withBoundary("abc", among))).toEqual(EXPECTED);
  });

  // some of these made a parser loop forever
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

describe("the headers of a part", () => {
  for (const fold of ["\r\n ", "\r\n\t", "\r\n   \t "])
    test(`are read when they are folded by ${JSON.stringify(fold)}`, async () => {
      const body = changedBody([PAYLOAD, BACKUP], "form-data; name", `form-data;${fold}name`);
      expect(await upload({ body })).toEqual(EXPECTED);
      const early = changedBody([PAYLOAD, BACKUP], "content-disposition: ", `content-disposition:${fold}`);
      expect(await upload({ body: early })).toEqual(EXPECTED);
    });

  test("are read without content after them, at the end of an unknown part", async () => {
    const empty = changedBody([part("more", "EMPTY"), PAYLOAD, BACKUP], "\r\nEMPTY\r\n", "\r\n");
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
    const none = changedBody(
      [PAYLOAD, BACKUP, part("more", "1")],
      'content-disposition: form-data; name="more"\r\n',
      "",
    );
    expect(await codeOf({ body: none })).toBe("multipart_error");
  });
});
