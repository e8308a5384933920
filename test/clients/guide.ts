/**
 * The code of the guide that needs the tools of this suite: its Kotlin is compiled and run on the vectors, and its Swift, for
 * which there is no compiler here, is parsed.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createECDH } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHAPTERS } from "../../src/http/reference/guide/page.ts";
import { verifyKeypairSignature } from "../../src/proofs/keypair.ts";
import { blocks, type Chapter, vectorsOf } from "../support/guide.ts";
import { kotlinCompiler, swiftErrors } from "./tools.ts";

const HERE = import.meta.dir;
const CHALLENGE = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
/** Of a SubjectPublicKeyInfo (RFC 5480) of P-256, up to its point. */
const SPKI_HEAD = Buffer.from("3059301306072a8648ce3d020106082a8648ce3d030107034200", "hex");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "backup-service-guide-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Writes the blocks of each chapter that has some, together, and returns the chapters with their files. */
async function written(info: string, extension: string, head: (name: string) => string) {
  const files = new Map<Chapter, string>();
  for (const chapter of CHAPTERS) {
    const code = await blocks(chapter, info);
    if (code.length === 0) continue;
    const name = chapter.replace(".md", "").replaceAll("-", "_");
    const file = join(folder, `${name}.${extension}`);
    await Bun.write(file, head(name) + code.join("\n"));
    files.set(chapter, file);
  }
  return files;
}

/** In hex, but for `encryptedKey`. */
interface WrappedKey {
  readonly secret: string;
  readonly wrappingKey: string;
  readonly backupKey: string;
  readonly encryptedKey: string;
}

interface Proof {
  readonly kind: string;
  readonly publicKey: string;
  readonly signature: string;
}

/** What the Kotlin made of the vectors: see `kotlin/Guide.kt`. */
interface Made {
  readonly nonces: readonly string[];
  readonly hashes: readonly string[];
  /** Challenges with the digest of an addition, in base64. */
  readonly bound: readonly string[];
  readonly points: readonly string[];
  readonly proofs: readonly Proof[];
  /** A wrapping key, and a backup key that it decrypted twice, in base64. */
  readonly wrapped: readonly string[];
  readonly passkeys: readonly { readonly asked: object; readonly sent: object; readonly secret: string }[];
}

/** P-256 points with coordinates that begin with zeros, with a set bit, and without. */
function points(): Buffer[] {
  const key = createECDH("prime256v1");
  const all = Array.from({ length: 600 }, (_, index) => {
    key.setPrivateKey((index + 1).toString(16).padStart(64, "0"), "hex");
    return key.getPublicKey(); // uncompressed
  });
  const first = (begins: (x: number, y: number) => boolean) => {
    const found = all.find((point) => begins(point.readUInt8(1), point.readUInt8(33)));
    if (found === undefined) throw new Error("no such point among those of small keys");
    return found;
  };
  return [
    first((x) => x === 0),
    first((_, y) => y === 0),
    first((x, y) => x >= 0x80 && y >= 0x80),
    first((x, y) => x > 0 && x < 0x80 && y > 0 && y < 0x80),
  ];
}

describe("the Kotlin of the guide", async () => {
  const nonces = await vectorsOf<{ publicKey: string; nonce: string }[]>("accounts.md");
  const requests = await vectorsOf<{ path: string; body: string; hash: string }[]>("app-attestation.md");
  const additions = await vectorsOf<{ digest: string }[]>("material-binding.md");
  const { challenge } = await vectorsOf<{ challenge: string }>("sign-a-challenge.md");
  const wrapped = await vectorsOf<WrappedKey>("passkeys.md");
  const prf = { enabled: true, results: { first: "AQID-_8" } };
  const credential = { id: "AA", clientExtensionResults: { credProps: { rk: true }, prf } };
  let made: Made;

  beforeAll(async () => {
    const files = await written("kotlin", "kt", (name) => `package guide.${name}\n\n`);
    expect(files.size).toBeGreaterThan(4);
    const kotlin = await kotlinCompiler(join(HERE, "kotlin/pom.xml"));
    const classes = join(folder, "classes");
    const sources = [join(HERE, "kotlin/android"), join(HERE, "kotlin/Guide.kt"), ...files.values()];
    await kotlin.compile(sources, classes);
    const input = {
      publicKeys: nonces.map(({ publicKey }) => publicKey),
      requests,
      additions,
      spki: points().map((point) => Buffer.concat([SPKI_HEAD, point]).toString("base64")),
      challenge,
      credential,
      wrapped: { ...wrapped, secret: Buffer.from(wrapped.secret, "hex").toString("base64") },
    };
    made = JSON.parse(await kotlin.execute(classes, "GuideKt", [JSON.stringify(input)]));
  });

  test("makes nonces", () => expect(made.nonces).toEqual(nonces.map(({ nonce }) => nonce)));

  test("makes request hashes", () => expect(made.hashes).toEqual(requests.map(({ hash }) => hash)));

  test("binds what is added", () => {
    const expected = additions.map(({ digest }) => Buffer.concat([CHALLENGE, Buffer.from(digest, "hex")]));
    expect(made.bound).toEqual(expected.map((bytes) => bytes.toString("base64")));
  });

  test("writes points of any key", () => {
    expect(made.points).toEqual(points().map((point) => point.toString("base64")));
  });

  test("signs with a key of the Keystore what the service accepts", () => {
    expect(made.proofs).toHaveLength(20);
    expect(new Set(made.proofs.map(({ publicKey }) => publicKey)).size).toBe(1);
    for (const { kind, publicKey, signature } of made.proofs) {
      expect(kind).toBe("EC_KEYPAIR");
      verifyKeypairSignature(publicKey, signature, Buffer.from(challenge, "base64"));
    }
  });

  test("wraps a backup key", () => {
    const { wrappingKey, backupKey } = wrapped;
    const base64 = [wrappingKey, backupKey, backupKey].map((hex) =>
      Buffer.from(hex, "hex").toString("base64"),
    );
    expect(made.wrapped).toEqual(base64);
  });

  test("asks for the secret of a passkey, and keeps it", () => {
    const salt = Buffer.from("example.com backup key").toString("base64url");
    const asked = { challenge: "AAAA", extensions: { uvm: true, prf: { eval: { first: salt } } } };
    const sent = { id: "AA", clientExtensionResults: { credProps: { rk: true } } };
    const secret = Buffer.from(prf.results.first, "base64url").toString("base64");
    expect(made.passkeys).toEqual([
      { asked, sent, secret },
      { asked, sent, secret },
    ]);
  });
});

test("the Swift of the guide is Swift", async () => {
  const files = await written("swift", "swift", () => "");
  expect(files.size).toBeGreaterThan(4);
  const wrong = join(folder, "wrong.swift");
  await Bun.write(wrong, "let a = 1\nfunc (\n");
  const { [wrong]: found, ...errors } = await swiftErrors([wrong, ...files.values()]);
  expect(found).not.toEqual([]);
  expect(errors).toEqual(Object.fromEntries([...files.values()].map((file) => [file, []])));
});
