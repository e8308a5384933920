/** What the client library reads and writes: base64, and signatures in DER. */
import { decodeBase64Url, encodeBase64Url } from "../../../src/client/base64.ts";
import { derSignature } from "../../../src/client/der-signature.ts";
import { BackupClientError } from "../../../src/client/errors.ts";
import { decodeBase64, decodeBase64Url as strictBase64Url } from "../../../src/crypto/encoding.ts";
import { der } from "../../support/ecdsa-encodings.ts";
import { numberOf } from "./passkeys.ts";
import { ACCEPTED, bytesOf, requireThat, type Target, textOf } from "./target.ts";

/** Reads all that the service writes, as the same bytes; anything else is an error of the client. */
export function clientBase64Target(decode = decodeBase64Url): Target {
  return {
    name: "base64 in the client",
    corpus: bytesOf("", "AA==", "AAA=", "QUJD", "_-8", "+/8=", "aGVsbG8"),
    dictionary: bytesOf("=", "==", "+", "/", "-", "_", "\n", " ", "š", "A", "AB", "\u0000"),
    run(input) {
      const text = textOf(input);
      requireThat(Buffer.from(decode(encodeBase64Url(input))).equals(input), "is not what was encoded");
      const expected = decodeBase64(text) ?? strictBase64Url(text);
      let found: Uint8Array;
      try {
        found = decode(text);
      } catch (error) {
        if (!(error instanceof BackupClientError)) throw error;
        requireThat(expected === null, "refused what the service writes");
        return "refused";
      }
      requireThat(expected === null || Buffer.from(found).equals(expected), "read other bytes");
      return ACCEPTED;
    },
  };
}

/** r and s of a signature, of any bytes, in their only form of DER. */
export function clientDerTarget(encode = derSignature): Target {
  return {
    name: "signatures of the client",
    corpus: [Buffer.alloc(64, 1), Buffer.alloc(64, 0x80), Buffer.alloc(64), Buffer.alloc(64, 0xff)],
    dictionary: [Buffer.alloc(31), Buffer.alloc(32), Buffer.of(0, 0x80), Buffer.of(0, 0x7f)],
    run(input) {
      const signature = Buffer.alloc(64);
      signature.set(input.subarray(0, 64));
      const [r, s] = [numberOf(signature.subarray(0, 32)), numberOf(signature.subarray(32))];
      const expected = Buffer.from(der({ r, s }), "base64");
      requireThat(expected.equals(encode(signature)), `is not ${expected.toString("hex")}`);
      return r === 0n || s === 0n ? "zero" : ACCEPTED;
    },
  };
}
