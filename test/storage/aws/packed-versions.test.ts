import { expect, test } from "bun:test";
import fc from "fast-check";
import { packVersions, unpackVersions } from "../../../src/storage/aws/packed-versions.ts";
import type { StoredVersion } from "../../../src/storage/contract.ts";

const BACKUP = `backup_account_${"02".repeat(33)}`;
const UUID = "01234567-89ab-4cde-8f01-23456789abcd";

const text = fc.oneof(
  fc.uuid(),
  fc.uuid().map((id) => `${BACKUP}/blobs/${id}`),
  fc.stringMatching(/^[0-9a-f]{64}$/),
  fc.string({ unit: "binary" }),
  fc.constantFrom(
    "",
    "\ud800",
    UUID.toUpperCase(),
    `${UUID}\n`,
    "A".repeat(64),
    `${BACKUP}/blobs/`,
    `backup_account_${"03".repeat(33)}/blobs/${UUID}`,
    "b1/blobs/x",
  ),
);
const number = fc.oneof(fc.nat(), fc.maxSafeInteger());
const version: fc.Arbitrary<StoredVersion> = fc.record({
  versionId: text,
  manifestHash: text,
  createdAtMs: number,
  replacedAtMs: number,
  blob: fc.record({ key: text, size: number, sha256: text }),
});

test("versions are unpacked as they were packed", () => {
  fc.assert(
    fc.property(fc.array(version, { maxLength: 5 }), (versions) => {
      const packed = packVersions(BACKUP, versions);
      expect(unpackVersions(BACKUP, packed)).toEqual(versions.map((each) => ({ ...each })));
    }),
  );
});

test("versions that are stored have one form", () => {
  const blob = { key: `${BACKUP}/blobs/${UUID}`, size: 1, sha256: "é" };
  const stored = {
    ...{ versionId: UUID, manifestHash: "cd".repeat(32), createdAtMs: 1_750_000_000_000, replacedAtMs: 2 },
    blob,
  };
  const uuid = UUID.replaceAll("-", "");
  const parts = [
    ...["01", `01${uuid}`, `02${"cd".repeat(32)}`, "427977420dc00000", "4000000000000000"],
    ...[`03${uuid}`, "3ff0000000000000", "000000000422c3a922"],
  ];
  const packed = Buffer.from(parts.join(""), "hex").toString("base64url");
  expect(packVersions(BACKUP, [stored])).toBe(packed);
  expect(unpackVersions(BACKUP, packed)).toEqual([stored]);
});

test("a version as the service makes it takes less than 166 bytes", () => {
  const blob = { key: `${BACKUP}/blobs/${UUID}`, size: 4_096, sha256: "ab".repeat(32) };
  const times = { createdAtMs: 1_750_000_000_000, replacedAtMs: 1_750_000_000_001 };
  const made = { versionId: UUID, manifestHash: "cd".repeat(32), ...times, blob };
  const nine = Array.from({ length: 9 }, () => made);
  expect(packVersions(BACKUP, nine).length).toBeLessThan(9 * 166);
  expect(JSON.stringify(nine).length).toBeGreaterThan(9 * 400);
});

test("a text of another format, or cut off, is an error", () => {
  const packed = Buffer.from(packVersions(BACKUP, fc.sample(version, 1)), "base64url");
  for (const [bytes, message] of [
    [packed.subarray(0, -1), "are cut off"],
    [Buffer.of(), "have an unknown format"],
    [Buffer.of(2), "have an unknown format"],
    [Buffer.of(1, 4), "have an unknown form of text"],
  ] as const)
    expect(() => unpackVersions(BACKUP, bytes.toString("base64url"))).toThrow(
      `the versions of a record ${message}`,
    );
});
