import { expect, test } from "bun:test";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import type { ApiResponse } from "../support/api-client.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { startService } from "../support/service.ts";
import { replaced } from "../support/store-wrappers.ts";
import { TraceReceiver } from "../support/trace-receiver.ts";
import {
  addSyncFactorRequest,
  createPayload,
  metadataOf,
  newUser,
  recovered,
  resetRequest,
  solved,
  syncPayload,
  userWithBackup,
} from "../support/users.ts";

/** Shorter pieces turn up by chance. */
const PIECE = 12;

/** Every text of some length in a value, and base64 of all bytes. */
function* textsIn(value: unknown): Iterable<string> {
  if (typeof value === "string") yield value;
  else if (value instanceof Uint8Array) yield Buffer.from(value).toString("base64");
  else if (typeof value === "object" && value !== null)
    for (const member of Object.values(value)) yield* textsIn(member);
}

for (const driver of DRIVERS)
  test(`log and traces of a whole life with all its failures have nothing in them that a user has (${driver.name})`, async () => {
    using receiver = new TraceReceiver();
    let down = false;
    const outage = <T>(run: () => Promise<T>): Promise<T> =>
      down ? Promise.reject(new StorageUnavailable("down")) : run();
    await using service = await startService(driver, {
      env: { LOG_LEVEL: "trace", ...receiver.env },
      wrapStores: ({ records, blobs }) => ({
        records: replaced(records, {
          locate: (factor, oneTime) => outage(() => records.locate(factor, oneTime)),
          commit: (change) => outage(() => records.commit(change)),
        }),
        blobs,
      }),
    });
    const { client, logged, services, url } = service;
    const secrets: unknown[] = [];
    const send = async <B, T>(
      call: (body: B) => Promise<ApiResponse<T>>,
      body: B,
    ): Promise<ApiResponse<T>> => {
      const answer = await call(body);
      secrets.push(body, answer.body);
      return answer;
    };

    const user = newUser();
    secrets.push(user.backup, user.account.backupAccountId, user.manifestHash);
    const create = await createPayload(client, user);
    const upload = (body: typeof create) => client.create(body, user.backup);
    down = true;
    await send(upload, create);
    down = false;
    await send(upload, { ...create, challengeToken: create.initialSyncChallengeToken });
    await send(upload, { ...create, manifestHash: "no hash of 32 bytes at all" });
    await send(upload, create);
    await send(upload, create);
    const retrieve = await send((body) => client.retrieve(body), await solved(client, "retrieve", user.main));
    const { syncFactorToken } = retrieve.ok();
    const phone = createFactorKeypair();
    const addition = await addSyncFactorRequest(client, phone, syncFactorToken);
    await send((body) => client.addSyncFactor(body), {
      ...addition,
      syncFactorToken: "a token of nobody at all",
    });
    await send((body) => client.addSyncFactor(body), addition);
    await send((body) => client.addSyncFactor(body), addition);
    const sync = await syncPayload(client, user);
    await send((body) => client.sync(body, user.backup), { ...sync, currentManifestHash: "0".repeat(64) });
    await send((body) => client.sync(body, user.backup), sync);
    const { syncFactors } = await metadataOf(client, user);
    const factorId = syncFactors[0]?.id ?? "";
    const removal = await solved(client, "delete-factor", phone, { factorId });
    await send((body) => client.deleteFactor(body), { ...removal, factorId, scope: "SYNC" });
    await send((body) => client.retrieveMetadata(body), await solved(client, "retrieve-metadata", user.sync));
    await send((body) => client.verifyFactor(body), await solved(client, "verify-factor", phone));
    down = true;
    await send((body) => client.verifyFactor(body), await solved(client, "verify-factor", user.main));
    down = false;
    await send((body) => client.backupStatus(body), {
      backupId: { not: "a text of any kind" },
    });
    const reset = await resetRequest(client, user);
    await send((body) => client.reset(body), { ...reset, signature: "not a signature in base64" });
    await send((body) => client.reset(body), reset);
    await fetch(`${url}/v1/${user.account.backupAccountId}?token=${syncFactorToken}`, {
      headers: { authorization: "Bearer not-for-the-log", "attestation-token": "not.for.thelog" },
    });
    const broken = '{"token": "a token in JSON that breaks off';
    const headers = { "content-type": "application/json" };
    await fetch(`${url}/v1/reset`, { method: "POST", body: broken, headers });
    await recovered(client, await userWithBackup(client)); // the reset was of that user only

    await services.tracing?.stop();
    const log = logged.join("") + receiver.requests.map(({ body }) => Buffer.from(body)).join("");
    expect(receiver.spans.length).toBeGreaterThan(60);
    expect(logged.length).toBeGreaterThan(30);
    const known = new Set(["EC_KEYPAIR", "ICLOUD", "manifest_hash_mismatch"]);
    const found = new Set<string>();
    for (const text of [...textsIn(secrets), "Bearer not-for-the-log", "not.for.thelog", broken]) {
      if (known.has(text) || /^[a-z]+(_[a-z]+)+$/.test(text) || text.includes(" ")) continue;
      for (let start = 0; start + PIECE <= text.length; start += PIECE)
        if (log.includes(text.slice(start, start + PIECE))) found.add(text);
    }
    for (const phrase of [
      "a token of nobody",
      "no hash of 32",
      "a text of any kind",
      "not a signature in",
      "a token in JSON",
    ])
      if (log.includes(phrase)) found.add(phrase);
    expect([...found]).toEqual([]);
  });

for (const driver of DRIVERS)
  test(`the log of background work that failed has the id of its request (${driver.name})`, async () => {
    await using service = await startService(driver, {
      env: { DELETED_KEEP_DAYS: "0" }, // then the ciphertext of a deleted backup is deleted in the background
      wrapStores: ({ records, blobs }) => ({
        records,
        blobs: replaced(blobs, { delete: () => Promise.reject(new StorageUnavailable("down")) }),
      }),
    });
    const user = await userWithBackup(service.client);
    const body = JSON.stringify(await solved(service.client, "delete-backup", user.sync));
    const headers = { "content-type": "application/json", "x-request-id": "removes-it" };
    const answer = await fetch(`${service.url}/v1/delete-backup`, { method: "POST", headers, body });
    expect(answer.status).toBe(204);
    const lines = service.logged.map((line): { msg: string; requestId?: string } => JSON.parse(line));
    const ofRequest = lines.filter(({ requestId }) => requestId === "removes-it").map(({ msg }) => msg);
    expect(ofRequest).toEqual(["background work failed", "request"]);
  });
