/** What a user of the other service does here, with every factor. */
import { expect } from "bun:test";
import type { ApiClient } from "./api-client.ts";
import { createFactorKeypair } from "./factor-keypair.ts";
import { proven, recoveredBy, removeFactor } from "./factors.ts";
import type { LegacyUser } from "./legacy-users.ts";
import { addSyncFactorRequest, newManifestHash, randomBytes, solved } from "./users.ts";

/** Every main factor verifies itself and recovers; the first one puts a device on the backup. */
export async function everyMainFactorRecovers(client: ApiClient, user: LegacyUser): Promise<void> {
  for (const main of user.mains) {
    const { backupId } = (await client.verifyFactor(await proven(client, "verify-factor", main))).ok();
    expect(backupId).toBe(user.id);
    const { backup, metadata } = await recoveredBy(client, main);
    expect(backup).toBe(Buffer.from(user.content).toString("base64"));
    expect(metadata).toMatchObject({ id: user.id, manifestHash: user.manifestHash });
  }
  if (user.syncs.length >= 25) return;
  const { syncFactorToken } = await recoveredBy(client, firstMain(user));
  const request = await addSyncFactorRequest(client, createFactorKeypair(), syncFactorToken);
  expect((await client.addSyncFactor(request)).ok().backupId).toBe(user.id);
}

/** Every sync factor reads the metadata and syncs; the first one deletes the backup in the end. */
export async function everySyncFactorManages(client: ApiClient, user: LegacyUser): Promise<void> {
  const content = randomBytes(200);
  let current = user.manifestHash;
  for (const sync of user.syncs) {
    const proof = await solved(client, "retrieve-metadata", sync);
    const metadata = (await client.retrieveMetadata({ ...proof, backupId: user.id })).ok();
    expect(metadata).toMatchObject({ id: user.id, manifestHash: current });
    const next = newManifestHash();
    const payload = {
      ...(await solved(client, "sync", sync)),
      currentManifestHash: current,
      newManifestHash: next,
    };
    expect((await client.sync(payload, content)).ok().backupId).toBe(user.id);
    current = next;
  }
  expect((await client.backupStatus({ backupId: user.id })).ok().factors).toHaveLength(user.mains.length);
  const [sync] = user.syncs;
  if (sync === undefined) throw new Error("the user has no sync factor");
  const { backupDeleted } = (await removeFactor(client, sync, mainFactorIds(user)[0] ?? "")).ok();
  expect(backupDeleted).toBe(user.mains.length === 1);
  if (!backupDeleted) (await client.deleteBackup(await solved(client, "delete-backup", sync))).ok();
}

export function firstMain({ mains }: LegacyUser) {
  const [main] = mains;
  if (main === undefined) throw new Error("the user has no main factor");
  return main;
}

/** The ids of the main factors. */
export function mainFactorIds({ metadata }: LegacyUser): string[] {
  const { factors } = metadata as { factors: { id: string }[] };
  return factors.map(({ id }) => id);
}
