/** ECDSA keys and signatures (SEC 1, RFC 3279) on both curves, and the texts in which clients send them. */
import { generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { importP256PublicKey, verifyP256, verifySecp256k1 } from "../../../src/crypto/ecdsa.ts";
import { encodeBase64, encodeHex, sha256 } from "../../../src/crypto/encoding.ts";
import { verifyAccountSignature } from "../../../src/proofs/account-key.ts";
import { nonceOf } from "../../../src/proofs/identity/oidc.ts";
import { isSignedBy, verifyKeypairSignature } from "../../../src/proofs/keypair.ts";
import { BACKUP_ACCOUNT_ID_PREFIX } from "../../../src/protocol/account-id.ts";
import { der, derOf, integer } from "../../support/ecdsa-encodings.ts";
import { numberOf } from "./passkeys.ts";
import { ACCEPTED, bytesOf, type Dice, outcomeOf, requireThat, type Target, textOf } from "./target.ts";

const MESSAGE = Buffer.from("the challenge");
const DER_PIECES = [
  "30",
  "3044",
  "3046",
  "308144",
  "30820044",
  "3080",
  "02",
  "0200",
  "0201",
  "0220",
  "0221",
  "022100",
]
  .concat(["02810020", "00", "0000", "80", "ff", "7f", "020100", "020101", "0500"])
  .map((hex) => Buffer.from(hex, "hex"));

interface SigningKeys {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** A signature that is accepted has one encoding, and node:crypto verifies its numbers. */
export function p256SignatureTarget(check = verifyP256): Target {
  const keys: SigningKeys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { ORDER } = p256.Point.Fn;
  return {
    name: "P-256 signatures",
    corpus: Array.from({ length: 4 }, () => sign("sha256", MESSAGE, keys.privateKey)),
    dictionary: [...DER_PIECES, bytesOfNumber(ORDER), bytesOfNumber(ORDER - 1n)],
    generate: (dice) => randomDer(dice, ORDER),
    run(input, dice) {
      const numbers = referenceDer(input, ORDER);
      if (numbers !== null && !dice.oneIn(VERIFIED_ONE_IN.p256)) return "well-formed";
      const found = check(keys.publicKey, MESSAGE, input);
      if (numbers === null) {
        requireThat(!found, "took what is not strict DER");
        return "no DER";
      }
      const compact = Buffer.concat([bytesOfNumber(numbers.r), bytesOfNumber(numbers.s)]);
      const key = { key: keys.publicKey, dsaEncoding: "ieee-p1363" } as const;
      requireThat(found === verify("sha256", MESSAGE, key, compact), "differs from node:crypto");
      return found ? ACCEPTED : "another signature";
    },
  };
}

/** How many of the well-formed signatures are verified: all would take most of the time. secp256k1 runs in JavaScript. */
const VERIFIED_ONE_IN = { p256: 8, secp256k1: 64 };

export function secp256k1SignatureTarget(check = verifySecp256k1): Target {
  const { ORDER } = secp256k1.Point.Fn;
  const secret = sha256("the secret key of the account");
  const publicKey = secp256k1.getPublicKey(secret, true);
  const valid = secp256k1.sign(MESSAGE, secret, { format: "der" });
  const { r, s } = secp256k1.Signature.fromBytes(valid, "der");
  const high = Buffer.from(der({ r, s: ORDER - s }), "base64");
  return {
    name: "secp256k1 signatures",
    corpus: [valid, high],
    dictionary: [...DER_PIECES, bytesOfNumber(ORDER), bytesOfNumber(ORDER - 1n)],
    generate: (dice) => randomDer(dice, ORDER),
    run(input, dice) {
      const numbers = referenceDer(input, ORDER);
      const isSkipped = numbers !== null && !dice.oneIn(VERIFIED_ONE_IN.secp256k1);
      if (isSkipped && Buffer.compare(valid, input) !== 0) return "well-formed";
      const found = check(publicKey, MESSAGE, input);
      requireThat((found === "invalid-encoding") === (numbers === null), `said ${found}`);
      if (found !== "valid") return found;
      requireThat(Buffer.from(valid).equals(input), "took a second signature");
      return ACCEPTED;
    },
  };
}

/** r and s of the strict DER of a sequence of two integers from 1 to below the order; `null` for anything else. */
function referenceDer(input: Uint8Array, order: bigint): { readonly r: bigint; readonly s: bigint } | null {
  const text = Buffer.from(input).toString("hex");
  const rLength = (input[3] ?? 0) * 2;
  const r = text.slice(8, 8 + rLength);
  const s = text.slice(12 + rLength);
  const isLong = text.length > 2 * 72 || r === "" || s === "";
  if (isLong) return null;
  const numbers = { r: numberOf(Buffer.from(r, "hex")), s: numberOf(Buffer.from(s, "hex")) };
  const inRange = [numbers.r, numbers.s].every((number) => number > 0n && number < order);
  return inRange && Buffer.from(der(numbers), "base64").toString("hex") === text ? numbers : null;
}

function randomDer(dice: Dice, order: bigint): Uint8Array {
  const contents = () => {
    const value = dice.of([
      0n,
      1n,
      0x7fn,
      0x80n,
      order - 1n,
      order,
      order + 1n,
      2n ** 256n - 1n,
      BigInt(dice.below(2 ** 31)),
    ]);
    const shortest = integer(value);
    if (dice.oneIn(8)) return Buffer.concat([Buffer.of(0), shortest]);
    return dice.oneIn(8) ? shortest.subarray(1) : shortest;
  };
  return Buffer.from(derOf(contents(), contents()), "base64");
}

function bytesOfNumber(number: bigint): Uint8Array {
  return Buffer.from(number.toString(16).padStart(64, "0"), "hex");
}

/** Only an uncompressed point of 65 bytes on the curve is a key, and it is that point. */
export function p256PointTarget(read = importP256PublicKey): Target {
  const points = Array.from({ length: 4 }, (_, index) => p256.getPublicKey(sha256(`secret ${index}`), false));
  const compressed = p256.Point.fromBytes(points[0] ?? new Uint8Array()).toBytes(true);
  const { p, n } = p256.Point.CURVE();
  return {
    name: "P-256 points",
    corpus: [...points, compressed, Buffer.of(0), Buffer.alloc(65, 4), Buffer.alloc(65)],
    dictionary: [
      Buffer.of(4),
      Buffer.of(2),
      Buffer.of(6),
      bytesOfNumber(p),
      bytesOfNumber(n),
      new Uint8Array(32),
    ],
    run(input) {
      const key = read(input);
      const isPoint = input.length === 65 && input[0] === 4 && isPointOf(input);
      requireThat((key !== null) === isPoint, key === null ? "refused a point" : "took what is no point");
      if (key === null) return `refused, ${input.length === 65 ? "off the curve" : "of another length"}`;
      const exported = key.export({ format: "der", type: "spki" });
      requireThat(exported.subarray(-65).equals(input), "is another point");
      return ACCEPTED;
    },
  };
}

function isPointOf(input: Uint8Array): boolean {
  const { p, a, b } = p256.Point.CURVE();
  const [x, y] = [numberOf(input.subarray(1, 33)), numberOf(input.subarray(33))];
  return x < p && y < p && (y * y - (x * x * x + a * x + b)) % p === 0n;
}

/** A proof as a client sends it: key, signature and account id, a line each. */
export function proofTextTarget(check = verifyKeypairSignature): Target {
  const keys: SigningKeys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const point = keys.publicKey.export({ format: "der", type: "spki" }).subarray(-65);
  const accountKey = secp256k1.getPublicKey(sha256("the secret key of the account"), true);
  const texts = [encodeBase64(point), encodeBase64(sign("sha256", MESSAGE, keys.privateKey))];
  const account = `${BACKUP_ACCOUNT_ID_PREFIX}${encodeHex(accountKey)}`;
  const valid = [...texts, account].join("\n");
  return {
    name: "keypair proofs",
    corpus: bytesOf(valid, `${valid.replaceAll("+", "-").replaceAll("/", "_")}`),
    dictionary: bytesOf("=", "\n", "A", "BA", "MEQCI", "š", "0x", "02", "backup_account_", "AAAAAAAA"),
    run(input, dice) {
      const [publicKey = "", signature = "", backupAccountId = ""] = textOf(input).split("\n");
      const key = importP256PublicKey(Buffer.from(publicKey, "base64"));
      const numbers = referenceDer(Buffer.from(signature, "base64"), p256.Point.Fn.ORDER);
      if (key !== null && numbers !== null && !dice.oneIn(VERIFIED_ONE_IN.p256)) return "well-formed";
      if (dice.oneIn(VERIFIED_ONE_IN.secp256k1))
        outcomeOf(() => verifyAccountSignature(backupAccountId, signature, MESSAGE));
      const outcome = outcomeOf(() => check(publicKey, signature, MESSAGE));
      requireThat(isSignedBy(publicKey, signature, MESSAGE) === (outcome === ACCEPTED), "is half signed");
      requireThat(outcome !== ACCEPTED || nonceOf(publicKey) !== null, "has a key without a nonce");
      // of one key and message only the pair that was sent, as nobody else could make another signature
      if (outcome === ACCEPTED) requireThat(publicKey === texts[0], "took another key");
      return outcome;
    },
  };
}
