/** The life of a backup, with the generated types: create, recover on a new device, join, sync. */
import createClient from "openapi-fetch";
import type { components, paths } from "./api.ts";

type KeypairAuthorization = components["schemas"]["EcKeypairAuthorization"];

const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));
const bytesOf = (text: string) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

/** A positive integer of ASN.1. */
function integer(bytes: Uint8Array): number[] {
  const digits = [...bytes.subarray(bytes.findIndex((byte) => byte !== 0))];
  const value = (digits[0] ?? 0) < 0x80 ? digits : [0, ...digits];
  return [0x02, value.length, ...value];
}

async function keypair() {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
  const publicKey = base64(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
  return async (challenge: string): Promise<KeypairAuthorization> => {
    const algorithm = { name: "ECDSA", hash: "SHA-256" };
    const raw = new Uint8Array(await crypto.subtle.sign(algorithm, pair.privateKey, bytesOf(challenge)));
    const integers = [...integer(raw.subarray(0, 32)), ...integer(raw.subarray(32))];
    const signature = base64(Uint8Array.of(0x30, integers.length, ...integers));
    return { kind: "EC_KEYPAIR", publicKey, signature };
  };
}

function ok<T>({ data, error }: { data?: T; error?: unknown }): T {
  if (data === undefined) throw new Error(JSON.stringify(error));
  return data;
}

function equal(actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${actual} is not ${expected}`);
}

/** The form of an upload: the types have it as an object with two members. */
function bodySerializer({ payload, backup }: { payload: unknown; backup: string }): FormData {
  const form = new FormData();
  form.append("payload", JSON.stringify(payload));
  form.append("backup", new Blob([backup]), "backup.bin");
  return form;
}

declare const process: {
  readonly argv: readonly string[];
  readonly stdout: { write(text: string): void };
};

const client = createClient<paths>({ baseUrl: process.argv[2] ?? "" });
const [main, phone, tablet] = [await keypair(), await keypair(), await keypair()];
const id = [...crypto.getRandomValues(new Uint8Array(32))].map((byte) => byte.toString(16).padStart(2, "0"));
const backupAccountId = `backup_account_02${id.join("")}`;
const [first, second] = ["11".repeat(32), "22".repeat(32)];

const forMain = ok(await client.POST("/v1/create/challenge/keypair", { body: {} }));
const forPhone = ok(await client.POST("/v1/create/challenge/keypair", { body: {} }));
const created = ok(
  await client.POST("/v1/create", {
    body: {
      payload: {
        authorization: await main(forMain.challenge),
        challengeToken: forMain.token,
        initialEncryptionKey: { kind: "ICLOUD", encryptedKey: "a2V5" },
        initialSyncFactor: await phone(forPhone.challenge),
        initialSyncChallengeToken: forPhone.token,
        manifestHash: first,
        backupAccountId,
      },
      backup: "first",
    },
    bodySerializer,
  }),
);
equal(created.backupId, backupAccountId);

const forRecovery = ok(await client.POST("/v1/retrieve/challenge/keypair", { body: {} }));
const recovered = ok(
  await client.POST("/v1/retrieve/from-challenge", {
    body: { authorization: await main(forRecovery.challenge), challengeToken: forRecovery.token },
  }),
);
equal(atob(recovered.backup), "first");
const kind = recovered.metadata.factors[0]?.kind;
// the union is narrowed by its kind: else this does not compile
equal(kind?.kind === "EC_KEYPAIR" ? kind.publicKey.length : 0, 88);

const forTablet = ok(await client.POST("/v1/add-sync-factor/challenge/keypair", { body: {} }));
const joined = ok(
  await client.POST("/v1/add-sync-factor", {
    body: {
      challengeToken: forTablet.token,
      syncFactor: await tablet(forTablet.challenge),
      syncFactorToken: recovered.syncFactorToken,
    },
  }),
);
equal(joined.backupId, backupAccountId);

async function sync() {
  const { challenge, token } = ok(await client.POST("/v1/sync/challenge/keypair", { body: {} }));
  const payload = {
    authorization: await tablet(challenge),
    challengeToken: token,
    currentManifestHash: first,
    newManifestHash: second,
  };
  return client.POST("/v1/sync", { body: { payload, backup: "second" }, bodySerializer });
}
equal(ok(await sync()).backupId, backupAccountId);
const refused = await sync();
equal(`${refused.response.status} ${refused.error?.error.code}`, "412 manifest_hash_mismatch");

process.stdout.write("ok\n");
