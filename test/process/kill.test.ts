import { expect, test } from "bun:test";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { DRIVERS } from "../drivers.ts";
import { type ApiClient, createApiClient } from "../support/api-client.ts";
import { isBrokenConnection } from "../support/broken-connection.ts";
import { TEST_CHALLENGE_TOKEN_KEYS } from "../support/service.ts";
import { startProcess } from "../support/service-process.ts";
import { storedRecord } from "../support/stored.ts";
import {
  createPayload,
  newManifestHash,
  newUser,
  randomBytes,
  recovered,
  syncPayload,
  type User,
  userWithBackup,
} from "../support/users.ts";

/** So few that a busy machine carries out all that they send within the time of a request. */
const DEVICES = 4;
const MIN_ACKNOWLEDGED = 40;

interface State {
  readonly hash: string;
  readonly content: Uint8Array;
}

/** The state of a device: the last acknowledged content, and the content that was sent when the process was killed. */
interface Device {
  readonly user: User;
  acknowledged: State | null;
  sent: State | null;
}

for (const driver of DRIVERS)
  test(`killed in the middle of writes, the service has every acknowledged write and no partial one (${driver.name})`, async () => {
    await using storage = await driver.environment();
    const env = { APP_ENV: "development", CHALLENGE_TOKEN_KEYS: TEST_CHALLENGE_TOKEN_KEYS, ...storage.env };
    const devices: Device[] = [];
    let acknowledged = 0;

    for (let round = 0; round < 3; round++) {
      await using service = await startProcess(env);
      const client = createApiClient({ url: service.url });
      const enough = acknowledged + MIN_ACKNOWLEDGED;
      await Promise.all(
        Array.from({ length: DEVICES }, () =>
          useUntilKilled(client, devices, () => {
            if (++acknowledged === enough) service.signal("SIGKILL");
          }),
        ),
      );
      expect(await service.exited).not.toBe(0);
    }

    await using service = await startProcess(env);
    const client = createApiClient({ url: service.url });
    const stores = await storage.open({ clock: systemClock, random: systemRandom });
    for (const device of devices) {
      const { user, acknowledged: last, sent } = device;
      const { backupAccountId } = user.account;
      const stored = await stores.records.read(backupAccountId);
      if (last !== null) expect(stored).not.toBeNull();
      if (stored === null) {
        for (const [scope, { publicKey }] of [
          ["MAIN", user.main],
          ["SYNC", user.sync],
        ] as const)
          expect(
            (await stores.records.locate({ scope, key: `EC_KEYPAIR|${publicKey}` }, [])).backupId,
          ).toBeNull();
        await userWithBackup(client, user); // neither the id nor a factor is stuck
        continue;
      }
      const { backup, metadata } = await recovered(client, user);
      const found = [last, sent].find((state) => state?.hash === metadata.manifestHash);
      expect(found).toBeDefined();
      expect(Buffer.from(backup, "base64").equals(found?.content ?? new Uint8Array())).toBe(true);
      const next = { ...user, manifestHash: metadata.manifestHash };
      (await client.sync(await syncPayload(client, next), randomBytes(10))).ok();
      expect((await storedRecord(stores, backupAccountId)).metadata.syncFactors).toHaveLength(1);
    }
    expect(devices.length).toBeGreaterThan(DEVICES);
    await stores[Symbol.asyncDispose]();
  });

/** Creates a backup and syncs it some times, then another one, until the process is killed. */
async function useUntilKilled(
  client: ApiClient,
  devices: Device[],
  onAcknowledged: () => void,
): Promise<void> {
  try {
    for (;;) {
      const user = newUser(randomBytes(30_000));
      const device: Device = { user, acknowledged: null, sent: null };
      devices.push(device);
      const payload = await createPayload(client, user);
      device.sent = { hash: user.manifestHash, content: user.backup };
      (await client.create(payload, user.backup)).ok();
      device.acknowledged = device.sent;
      onAcknowledged();
      for (let count = 0; count < 3; count++) {
        const state = { hash: newManifestHash(), content: randomBytes(30_000) };
        const current = { ...user, manifestHash: device.acknowledged.hash };
        const sync = await syncPayload(client, current, state.hash);
        device.sent = state;
        (await client.sync(sync, state.content)).ok();
        device.acknowledged = state;
        onAcknowledged();
      }
    }
  } catch (error) {
    if (!isBrokenConnection(error)) throw error;
  }
}
