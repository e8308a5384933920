/**
 * The versions of a record, packed. A sync writes the whole record, and DynamoDB charges each KiB of it: as JSON a version
 * takes some 430 bytes, packed 166.
 *
 * A byte for the format, then of each version its id, manifest hash, two times, and the key, size and hash of its blob. A
 * number is a double. A text begins with a byte for its form. All that is stored in base64, because requests with a binary
 * attribute are serialised by the SDK (direct/dynamodb-json.ts), which is slower.
 */
import type { StoredVersion } from "../contract.ts";

const FORMAT = 1;

/** The forms of a text: JSON with its length before it; a UUID; 32 bytes in hex; the prefix of blob keys and a UUID. */
const OTHER = 0;
const UUID = 1;
const HASH = 2;
const BLOB_KEY = 3;

const UUID_TEXT = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const HASH_TEXT = /^[0-9a-f]{64}$/;

const prefixOf = (backupId: string) => `${backupId}/blobs/`;

export function packVersions(backupId: string, versions: readonly StoredVersion[]): string {
  const prefix = prefixOf(backupId);
  const packed = versions.flatMap(({ versionId, manifestHash, createdAtMs, replacedAtMs, blob }) => [
    packText(versionId, prefix),
    packText(manifestHash, prefix),
    packNumber(createdAtMs),
    packNumber(replacedAtMs),
    packText(blob.key, prefix),
    packNumber(blob.size),
    packText(blob.sha256, prefix),
  ]);
  return Buffer.concat([Buffer.of(FORMAT), ...packed]).toString("base64url");
}

/** @throws Error when the text is not what {@link packVersions} makes for that backup. */
export function unpackVersions(backupId: string, text: string): StoredVersion[] {
  const packed = Buffer.from(text, "base64url");
  if (packed[0] !== FORMAT) throw new Error("the versions of a record have an unknown format");
  const prefix = prefixOf(backupId);
  const versions: StoredVersion[] = [];
  let at = 1;
  const take = (length: number) => {
    if (at + length > packed.length) throw new Error("the versions of a record are cut off");
    at += length;
    return packed.subarray(at - length, at);
  };
  const next = () => unpackText(take, prefix);
  const number = () => take(8).readDoubleBE();
  while (at < packed.length)
    versions.push({
      versionId: next(),
      manifestHash: next(),
      createdAtMs: number(),
      replacedAtMs: number(),
      blob: { key: next(), size: number(), sha256: next() },
    });
  return versions;
}

function packText(text: string, prefix: string): Buffer {
  if (UUID_TEXT.test(text)) return Buffer.concat([Buffer.of(UUID), uuidBytes(text)]);
  if (HASH_TEXT.test(text)) return Buffer.concat([Buffer.of(HASH), Buffer.from(text, "hex")]);
  const rest = text.slice(prefix.length);
  if (text.startsWith(prefix) && UUID_TEXT.test(rest))
    return Buffer.concat([Buffer.of(BLOB_KEY), uuidBytes(rest)]);
  const json = Buffer.from(JSON.stringify(text)); // keeps unpaired surrogates
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([Buffer.of(OTHER), length, json]);
}

function unpackText(take: (length: number) => Buffer, prefix: string): string {
  const form = take(1).readUInt8();
  if (form === UUID) return uuidText(take(16));
  if (form === HASH) return take(32).toString("hex");
  if (form === BLOB_KEY) return prefix + uuidText(take(16));
  if (form !== OTHER) throw new Error("the versions of a record have an unknown form of text");
  return String(JSON.parse(take(take(4).readUInt32BE()).toString()));
}

function packNumber(number: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(number);
  return bytes;
}

function uuidBytes(text: string): Buffer {
  return Buffer.from(text.replaceAll("-", ""), "hex");
}

function uuidText(bytes: Buffer): string {
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
