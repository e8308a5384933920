/** Plays the examples of the API reference: sends the request to a service and compares the response. */
import { expect } from "bun:test";
import { compactDecrypt } from "jose";
import type { Example } from "../../src/protocol/examples/example.ts";
import { retrieveMetadata } from "../../src/protocol/examples/retrieve-metadata.ts";
import type { Scope } from "../../src/protocol/factor.ts";
import type { Version } from "../../src/protocol/version.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import { type BlobRef, factorKeys, type StoredVersion } from "../../src/storage/contract.ts";
import type { Driver } from "../drivers.ts";
import { EXAMPLE_TOKEN_KEY, exampleBytes } from "./example-bytes.ts";
import { startService, type TestService } from "./service.ts";

/** The stored backup of the examples: what the example of retrieve-metadata shows. */
const STORED = retrieveMetadata.response ?? "";
const STORED_CIPHERTEXT = "the first ciphertext";
const EARLIER_CIPHERTEXT = "the earlier ciphertext";

export interface Circumstances {
  /** Whether the backup that most examples are about is on the service; it is, if not given. */
  readonly isStored?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** Sends the request of an example; by `fetch`, if not given. */
  readonly send?: (
    url: string,
    example: Example,
  ) => Promise<{ readonly status: number; readonly text: string }>;
}

/** Sends the requests of the examples to a fresh service, one after the other; each must get the response of its example. */
export async function play(
  driver: Driver,
  examples: readonly Example[],
  { isStored = true, env = {}, send = sendByFetch }: Circumstances = {},
): Promise<void> {
  await using service = await exampleService(driver, env);
  if (isStored) await storeBackup(service);
  for (const example of examples) {
    const { path, status } = example;
    const { text, ...response } = await send(service.url, example);
    if (response.status !== status) throw new Error(`${path} responded with ${response.status} ${text}`);
    const expected: unknown = example.response === null ? null : JSON.parse(example.response);
    const received: unknown = text === "" ? null : JSON.parse(text);
    expect(await withoutWhatIsNew(received, expected)).toEqual(expected);
  }
}

/** An empty service whose clock stands still and whose random bytes are known. */
function exampleService(driver: Driver, env: Readonly<Record<string, string>>): Promise<TestService> {
  const drawn = new Map<number, number>();
  const { kid, secret } = EXAMPLE_TOKEN_KEY;
  return startService(driver, {
    env: {
      CHALLENGE_TOKEN_KEYS: `${kid}:${secret.toString("base64")}`,
      WEBAUTHN_RP_ID: "example.com",
      WEBAUTHN_RP_NAME: "Example",
      WEBAUTHN_ORIGINS: "https://example.com",
      ...env,
    },
    random: {
      uuid: systemRandom.uuid,
      bytes(length) {
        const index = drawn.get(length) ?? 0;
        drawn.set(length, index + 1);
        return exampleBytes(length, index);
      },
    },
  });
}

/** Stores that backup as the service does: what is kept of keypairs is what is shown of them. */
async function storeBackup({ services: { records, blobs } }: TestService): Promise<void> {
  const { versions: shown, ...metadata } = JSON.parse(STORED);
  const rows = (scope: Scope, factors: readonly { readonly kind: { readonly publicKey: string } }[]) =>
    factors.map(({ kind }) => ({ scope, key: factorKeys.ecKeypair(kind.publicKey) }));
  const claim = [...rows("MAIN", metadata.factors), ...rows("SYNC", metadata.syncFactors)];
  const blob = await blobs.put(metadata.id, [Buffer.from(STORED_CIPHERTEXT)]);
  const earlier = await blobs.put(metadata.id, [Buffer.from(EARLIER_CIPHERTEXT)]);
  const versions = shown.map((version: Version) => storedVersion(version, earlier));
  const next = { blob, metadata, versions };
  expect(await records.commit({ backupId: metadata.id, expect: "absent", next, claim })).toBe("committed");
}

function storedVersion(
  { versionId, manifestHash, createdAt, replacedAt }: Version,
  blob: BlobRef,
): StoredVersion {
  return { versionId, manifestHash, createdAtMs: createdAt * 1000, replacedAtMs: replacedAt * 1000, blob };
}

async function sendByFetch(url: string, example: Example): Promise<{ status: number; text: string }> {
  const response = await fetch(url + example.path, { method: example.method, ...bodyOf(example) });
  return { status: response.status, text: await response.text() };
}

function bodyOf({ request, backup }: Example): {
  body?: string | FormData;
  headers?: Record<string, string>;
} {
  if (request === null) return {};
  if (backup === undefined) return { body: request, headers: { "content-type": "application/json" } };
  const form = new FormData();
  form.append("payload", request);
  form.append("backup", new Blob([backup]));
  return { body: form };
}

/** The response, with the value of the example wherever a value is new in every response and otherwise means the same. */
async function withoutWhatIsNew(received: unknown, expected: unknown): Promise<unknown> {
  if (typeof received === "string" && typeof expected === "string")
    return (await meansTheSame(received, expected)) ? expected : received;
  if (!isContainer(received) || !isContainer(expected)) return received;
  const members = Object.entries(received).map(async ([name, value]) => [
    name,
    await withoutWhatIsNew(value, Reflect.get(expected, name)),
  ]);
  const compared = await Promise.all(members);
  return Array.isArray(received) ? compared.map(([, value]) => value) : Object.fromEntries(compared);
}

function isContainer(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

const CHALLENGE_TOKEN = /^[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/;
const ID_TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Challenge tokens that hold the same, id_tokens with the same claims, and ids of new factors. */
async function meansTheSame(received: string, expected: string): Promise<boolean> {
  const both = (pattern: RegExp) => pattern.test(received) && pattern.test(expected);
  if (both(CHALLENGE_TOKEN)) return (await opened(received)) === (await opened(expected));
  if (both(ID_TOKEN)) return withoutSignature(received) === withoutSignature(expected);
  return both(UUID) && !STORED.includes(received);
}

async function opened(token: string): Promise<string> {
  const { plaintext } = await compactDecrypt(token, EXAMPLE_TOKEN_KEY.secret);
  return Buffer.from(plaintext).toString();
}

function withoutSignature(token: string): string {
  return token.slice(0, token.lastIndexOf("."));
}
