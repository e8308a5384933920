import { describe, expect, test } from "bun:test";
import { readChapter } from "../../../src/http/reference/guide/page.ts";
import { requestHash } from "../../../src/proofs/app-attestation/request-hash.ts";
import { operations } from "../../../src/protocol/operations.ts";
import { importTypescript, runPython, vectorsOf } from "../../support/guide.ts";

interface Vector {
  readonly path: string;
  readonly body: string;
  readonly canonical: string;
  readonly hash: string;
}

const CHAPTER = "app-attestation.md";

describe("the guide's request hashes", async () => {
  const vectors = await vectorsOf<Vector[]>(CHAPTER);

  test("are those of the service", () => {
    expect(vectors.length).toBeGreaterThan(2);
    for (const { path, body, canonical, hash } of vectors) {
      expect(requestHash({ method: "POST", path, body })).toBe(hash);
      expect(new Bun.CryptoHasher("sha256").update(canonical).digest("hex")).toBe(hash);
    }
  });

  test("are made by its TypeScript", async () => {
    interface Module {
      requestHash(path: string, body: string): Promise<string>;
    }
    const code = await importTypescript<Module>(CHAPTER);
    for (const { path, body, hash } of vectors) expect(await code.requestHash(path, body)).toBe(hash);
  });

  test("are made by its Python", async () => {
    const program = `print(json.dumps([request_hash(vector["path"], vector["body"]) for vector in input]))`;
    const hashes = await runPython<string[]>(CHAPTER, program, vectors);
    expect(hashes).toEqual(vectors.map(({ hash }) => hash));
  });

  test("are needed where the guide says so", async () => {
    const [, listed = ""] = /^The attested operations are (.*)\.$/m.exec(await readChapter(CHAPTER)) ?? [];
    const attested = Object.values(operations).filter(
      (operation) => "attested" in operation && operation.attested,
    );
    expect([...listed.matchAll(/`(\/v1\/[^`]+)`/g)].map(([, path]) => path).toSorted()).toEqual(
      attested.map(({ path }) => path).toSorted(),
    );
  });
});
