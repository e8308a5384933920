/** A success that is not of the service: of a proxy, or of a page to log in to a network. */
import { describe, expect, test } from "bun:test";
import * as sdk from "../../src/client/index.ts";
import { response } from "../support/faulty-transport.ts";

const { createBackupClient, keypair } = sdk;
const factor = await keypair();
const content = Uint8Array.of(1);
const hash = "00".repeat(32);
const account = { backupAccountId: "a", sign: async () => content };
const encryptionKey = { kind: "ICLOUD", encryptedKey: "a2V5" } as const;

/** Requests for challenges get one, or what the others get; everything else gets `body`. */
function client(body: unknown, status: number, challenges: boolean): sdk.BackupClient {
  const challenge = response(200, {
    challenge: "AAAA",
    token: "t",
    existingFactorToken: "t",
    newFactorToken: "t",
  });
  return createBackupClient({
    url: "http://backup.example",
    retries: { pause: async () => undefined },
    transport: async ({ url }) =>
      challenges && url.includes("/challenge/") ? challenge : response(status, body),
  });
}

const reads: Readonly<Record<string, (client: sdk.BackupClient) => Promise<unknown>>> = {
  recover: (client) => client.recover(factor),
  verify: (client) => client.verify(factor),
  metadata: (client) => client.metadata(factor),
  events: (client) => Array.fromAsync(client.events(factor)),
  status: (client) => client.status("a"),
};
const changes: typeof reads = {
  create: (client) => client.create({ main: factor, sync: factor, account, content, encryptionKey }),
  sync: (client) => client.sync(factor, { content, currentManifestHash: hash }),
  restoreVersion: (client) => client.restoreVersion(factor, { versionId: "v", currentManifestHash: hash }),
  addSyncFactor: (client) => client.addSyncFactor(factor, { syncFactorToken: "t" }),
  removeFactor: (client) => client.removeFactor(factor, { factorId: "f", scope: "SYNC" }),
  deleteBackup: (client) => client.deleteBackup(factor),
  undelete: (client) => client.undelete(factor, "a"),
  reset: (client) => client.reset(account),
};
const bodies = [
  ["null", null, 200],
  ["a number", 5, 200],
  ["an empty object", {}, 200],
  ["an object of something else", { status: "ok" }, 200],
  ["members of other types", { backupId: 1, events: {}, challenge: 5, backup: null, metadata: [] }, 200],
  ["an error", { allowRetry: false, error: { code: "already_used", message: "" } }, 200],
] as const;

describe.each(bodies)("a response with %s", (_, body, status) => {
  test.each(Object.entries(reads))("is no success of %s", async (_, read) => {
    const refused = { name: "RefusedError", code: "unexpected_response", status };
    await expect(read(client(body, status, true))).rejects.toMatchObject(refused);
    await expect(read(client(body, status, false))).rejects.toMatchObject(refused);
  });

  test.each(Object.entries(changes))("leaves open what became of %s", async (_, change) => {
    await expect(change(client(body, status, true))).rejects.toBeInstanceOf(sdk.OutcomeUnknownError);
    await expect(change(client(body, status, false))).rejects.toMatchObject({ code: "unexpected_response" });
  });
});

test("no body is a success of what returns none only", async () => {
  for (const [name, change] of Object.entries({ ...reads, ...changes }))
    if (name === "deleteBackup" || name === "reset") await change(client("", 204, true));
    else
      await expect([name, await change(client("", 204, true)).catch(Object)]).toEqual([
        name,
        expect.any(sdk.BackupClientError),
      ]);
});

test("a challenge that is not base64 is an error of the client", async () => {
  const odd = client({ challenge: "***", token: "t" }, 200, false);
  await expect(odd.verify(factor)).rejects.toBeInstanceOf(sdk.BackupClientError);
});

test("an error whose members have other types is one of its status", async () => {
  const odd = client({ allowRetry: "no", error: { code: 5, message: {} } }, 400, false);
  await expect(odd.status("a")).rejects.toMatchObject({ code: "unexpected_response", allowRetry: false });
});

test("the security log ends where a page does not say what follows", async () => {
  const events = client({ events: [] }, 200, true).events(factor);
  expect(await Array.fromAsync(events)).toEqual([]);
});
