/** The unavoidable parts of an operation, each measured alone: what it would cost if everything else were free. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createChallengeTokens } from "../../src/auth/challenge-tokens.ts";
import { verifyKeypairSignature } from "../../src/auth/keypair.ts";
import { createFactorKeypair } from "../../src/cli/device-keys.ts";
import { systemClock, systemRandom } from "../../src/clock.ts";
import { openLocalBlobs } from "../../src/storage/local/blobs.ts";
import { openLocalRecords } from "../../src/storage/local/records.ts";
import { randomBytes } from "../support/users.ts";

/** CPU milliseconds of one call of each part. */
export type Parts = Readonly<Record<PartName, number>>;
export type PartName =
  | "make a token"
  | "open a token"
  | "verify P-256"
  | "locate"
  | "read"
  | "spend"
  | "commit"
  | "put a blob"
  | "get a blob";

const ROUNDS = 400;
/** Calls side by side, as under load. */
const WIDTH = 8;

export async function measureParts(bytes: number): Promise<Parts> {
  const dataDir = await mkdtemp(join(tmpdir(), "backup-service-floor-"));
  const options = { dataDir, clock: systemClock, random: systemRandom };
  await using records = await openLocalRecords(options);
  await using blobs = await openLocalBlobs(options);
  const tokens = await createChallengeTokens([{ kid: "k", secret: randomBytes(32) }], systemClock);
  const context = { operation: "sync" } as const;
  const challenge = randomBytes(32);
  const token = await tokens.issue("keypair", challenge, context);
  const keypair = createFactorKeypair();
  const signature = keypair.sign(Buffer.from(challenge).toString("base64"));
  const content = randomBytes(bytes);
  const blob = await blobs.put("b", [content]);
  const metadata = { text: "x".repeat(600) };
  const factor = { scope: "SYNC", key: "f" } as const;
  await records.commit({ backupId: "b", expect: "absent", next: { blob, metadata }, claim: [factor] });
  let serial = 0;
  const value = () => ({ id: `value ${serial++}`, expiresAtMs: systemClock.nowMs() + 60_000 });

  try {
    return {
      "make a token": await cpuMs(() => tokens.issue("keypair", challenge, context)),
      "open a token": await cpuMs(() => tokens.open(token, "keypair", context)),
      "verify P-256": await cpuMs(async () =>
        verifyKeypairSignature(keypair.publicKey, signature, challenge),
      ),
      locate: await cpuMs(() => records.locate(factor, [{ id: "none", expiresAtMs: 0 }])),
      read: await cpuMs(() => records.read("b")),
      spend: await cpuMs(() => records.spend([value()])),
      commit: await cpuMs(() =>
        records.commit({
          backupId: `b${serial}`,
          expect: "absent",
          next: { blob, metadata },
          spend: [value()],
        }),
      ),
      "put a blob": await cpuMs(() => blobs.put("b", [content])),
      "get a blob": await cpuMs(async () => new Response(await blobs.get(blob)).arrayBuffer()),
    };
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** CPU time of one call, user and system, all threads. */
async function cpuMs(call: () => Promise<unknown>): Promise<number> {
  const run = async (rounds: number) => {
    for (let round = 0; round < rounds; round++) await Promise.all(Array.from({ length: WIDTH }, call));
  };
  await run(20);
  const before = process.cpuUsage();
  await run(ROUNDS / WIDTH);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / ROUNDS;
}
