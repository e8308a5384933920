/** A service at work: devices that create, update, extend and delete backups until they are stopped. */
import { createFactorKeypair, type FactorKeypair } from "../support/factor-keypair.ts";
import type { TestService } from "../support/service.ts";
import {
  addSyncFactorRequest,
  newManifestHash,
  newUser,
  randomBytes,
  recovered,
  solved,
  syncPayload,
  type User,
  userWithBackup,
} from "../support/users.ts";

const MAX_CONTENT_BYTES = 300_000;

/** Keeps `devices` busy while `run` runs, and returns what it returns. Fails when an operation does. */
export async function underLoad<T>(
  { client }: TestService,
  devices: number,
  run: (load: { readonly operations: number }) => Promise<T>,
): Promise<T> {
  const load = { operations: 0 };
  let ended = false;

  async function syncOnce(user: User): Promise<User> {
    const manifestHash = newManifestHash();
    const content = randomBytes(Math.ceil(Math.random() * MAX_CONTENT_BYTES));
    (await client.sync(await syncPayload(client, user, manifestHash), content)).ok();
    load.operations += 1;
    return { ...user, manifestHash };
  }

  async function addFactor(user: User, factor: FactorKeypair): Promise<void> {
    const { syncFactorToken } = await recovered(client, user);
    (await client.addSyncFactor(await addSyncFactorRequest(client, factor, syncFactorToken))).ok();
    load.operations += 1;
  }

  async function live(): Promise<void> {
    while (!ended) {
      let user = await userWithBackup(client, newUser(randomBytes(1_000)));
      for (let syncs = 0; syncs < 8; syncs++) {
        user = await syncOnce(user);
        if (syncs === 3) await addFactor(user, createFactorKeypair());
      }
      if (Math.random() < 0.7)
        (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
      load.operations += 2;
    }
  }

  const lives = Promise.all(Array.from({ length: devices }, live));
  try {
    return await run(load);
  } finally {
    ended = true;
    await lives;
  }
}
