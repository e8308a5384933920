/**
 * The unavoidable parts of the operations, each measured alone: their cryptography, and their store calls on the
 * embedded driver. Together with an empty route they make the floor of an operation: what it would cost if everything
 * else were free.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createChallengeTokens } from "../../src/proofs/challenge-tokens.ts";
import { verifyKeypairSignature } from "../../src/proofs/keypair.ts";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import type { Nonce } from "../../src/runtime/nonce.ts";
import { openLocalBlobs } from "../../src/storage/local/blobs.ts";
import { openLocalRecords } from "../../src/storage/local/records.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { randomBytes } from "../support/users.ts";

export const PART_NAMES = [
  "make a token",
  "open a token",
  "verify P-256",
  "locate",
  "read",
  "consume",
  "consume and issue",
  "commit a new backup",
  "read and commit an update",
  "put a blob",
  "get a blob",
  "put and delete a blob",
] as const;
export type PartName = (typeof PART_NAMES)[number];

/** The part that is specific to keypairs; other kinds of factors have another one. */
export const KEYPAIR_STEP: PartName = "verify P-256";

export interface Parts extends AsyncDisposable {
  perform(part: PartName): Promise<void>;
}

/** More than are ever updated at the same time. */
const UPDATABLE_BACKUPS = 64;

const MINUTE_MS = 60_000;

/** @param bytes the size of the blobs. */
export async function openParts(bytes: number): Promise<Parts> {
  const dataDir = await mkdtemp(join(tmpdir(), "backup-service-parts-"));
  const options = { dataDir, clock: systemClock, random: systemRandom };
  const records = await openLocalRecords(options);
  const blobs = await openLocalBlobs(options);
  const tokens = await createChallengeTokens([{ kid: "k", secret: randomBytes(32) }], systemClock);
  const context = { operation: "sync" } as const;
  const challenge = randomBytes(32);
  const token = await tokens.issue("keypair", challenge, context);
  const keypair = createFactorKeypair();
  const signature = keypair.sign(Buffer.from(challenge).toString("base64"));
  const content = randomBytes(bytes);
  const blob = await blobs.put("b", [content]);
  const next = { blob, metadata: { text: "x".repeat(600) }, versions: [] };
  const factor = { scope: "SYNC", key: "f" } as const;
  await records.commit({ backupId: "b", expect: "absent", next, claim: [factor] });

  let serial = 0;
  const expiresAtMs = systemClock.nowMs() + 60 * MINUTE_MS;
  const oneTime = (): Nonce => ({ id: `value ${serial++}`, expiresAtMs });
  const create = (backupId: string) =>
    records.commit({
      backupId,
      expect: "absent",
      next,
      claim: [
        { scope: "MAIN", key: backupId },
        { scope: "SYNC", key: backupId },
      ],
      consume: [oneTime(), oneTime()],
    });

  const updatable = Array.from({ length: UPDATABLE_BACKUPS }, (_, number) => `updatable ${number}`);
  for (const backupId of updatable) await create(backupId);
  async function update(): Promise<void> {
    const backupId = updatable.pop() ?? "";
    const record = await records.read(backupId);
    const expect = { revision: record?.revision ?? "" };
    const outcome = await records.commit({ backupId, expect, next, consume: [oneTime()] });
    if (outcome !== "committed") throw new Error(`an update was answered ${outcome}`);
    updatable.push(backupId);
  }

  const calls: Readonly<Record<PartName, () => unknown>> = {
    "make a token": () => tokens.issue("keypair", challenge, context),
    "open a token": () => tokens.open(token, "keypair", context),
    "verify P-256": () => verifyKeypairSignature(keypair.publicKey, signature, challenge),
    locate: () => records.locate(factor, [{ id: "none", expiresAtMs: 0 }]),
    read: () => records.read("b"),
    consume: () => records.consume([oneTime()]),
    "consume and issue": () => records.consume([oneTime()], { ...oneTime(), backupId: "b", holder: "h" }),
    "commit a new backup": () => create(`new ${serial++}`),
    "read and commit an update": update,
    "put a blob": () => blobs.put("b", [content]),
    "get a blob": async () => new Response(await blobs.get(blob)).arrayBuffer(),
    "put and delete a blob": async () => blobs.delete((await blobs.put("b", [content])).key),
  };

  return {
    async perform(part) {
      await calls[part]();
    },
    async [Symbol.asyncDispose]() {
      await records[Symbol.asyncDispose]();
      await blobs[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
