/** The largest backup that the limits allow works on every driver: all factors, all fields at their largest. */

import { describe, expect, test } from "bun:test";
import { MAX_METADATA_BYTES } from "../../src/backups/rules.ts";
import { encodeCbor } from "../../src/proofs/passkey/cbor.ts";
import { DRIVERS } from "../drivers.ts";
import { additionRequest } from "../support/additions.ts";
import type { RequestBody } from "../support/api-client.ts";
import { createFactorKeypair, type FactorKeypair } from "../support/factor-keypair.ts";
import {
  type Account,
  type AuthorizationBody,
  type ChallengeValue,
  createPayloadOf,
  type EncryptionKeyBody,
  factorService,
  type MainFactor,
  newAccount,
  newFactorUser,
  newKeypair,
  newPasskey,
  type Passkey,
  proven,
  recoveredBy,
  removeFactor,
} from "../support/factors.ts";
import type { OidcIssuer } from "../support/oidc-issuer.ts";
import { type CborValue, newKeys, type RegistrationTweaks } from "../support/software-authenticator.ts";
import { indexedAs, rewriteMetadata, storedRecord } from "../support/stored.ts";
import { addSyncFactorRequest, newManifestHash, randomBytes, solved, syncPayload } from "../support/users.ts";

const KIB = 1024;
const MAIN_FACTORS = 10;
const SYNC_FACTORS = 25;
/** What JSON writes with the most bytes for each character. */
const CONTROL = "\u0001";
const MAX_LABEL = CONTROL.repeat(256);
const RSA_KEYS = newKeys("RS256", 4096);

/** Random, so that it cannot be stored in less. */
const filling = (length: number) => Buffer.from(randomBytes(length)).toString("base64").slice(0, length);

const KEYS: readonly EncryptionKeyBody[] = [
  { kind: "PRF", encryptedKey: filling(8 * KIB) },
  { kind: "ICLOUD", encryptedKey: filling(8 * KIB) },
  {
    kind: "TURNKEY",
    encryptedKey: filling(8 * KIB),
    turnkeyAccountId: filling(4 * KIB),
    turnkeyUserId: filling(4 * KIB),
    turnkeyPrivateKeyId: filling(4 * KIB),
  },
];

/** A passkey whose registration takes 16 KiB as JSON. */
function largePasskey(
  made: Passkey,
  key: (members: [number, CborValue][]) => NonNullable<RegistrationTweaks["coseKey"]>,
): MainFactor {
  const coseKey = key([...made.authenticator.coseKey()]);
  const transports = Array.from({ length: 20 }, (_, index) => `transport-${"x".repeat(index)}`);
  return {
    ...made,
    register: () => ({
      newFactor: { kind: "PASSKEY_REGISTRATION", platform: "IOS", name: MAX_LABEL, displayName: MAX_LABEL },
      answer: (challenge) => {
        const authorization = made.registerWith(challenge, { coseKey, transports });
        const credential = { ...(authorization.credential as RequestBody), filling: "" };
        const length = 16 * KIB - Buffer.byteLength(JSON.stringify(credential));
        return {
          ...authorization,
          label: MAX_LABEL,
          credential: { ...credential, filling: filling(length) },
        };
      },
    }),
  };
}

/** With the longest id and the largest key. */
const longPasskey = () =>
  largePasskey(
    newPasskey({ algorithm: "RS256", keys: RSA_KEYS, credentialIdBytes: 1023 }),
    (own) => new Map(own),
  );

/** With members of no use in the key, which take more bytes when they are encoded again: half-precision NaN. */
const growingPasskey = () =>
  largePasskey(newPasskey(), (own) => {
    const count = 3_300;
    const nans = Buffer.concat(Array.from({ length: count }, () => Buffer.of(0xf9, 0x7e, 0x00)));
    const list = Buffer.concat([Buffer.of(0x99, count >> 8, count & 0xff), nans]);
    const map = Buffer.of(0xa0 | (own.length + 1));
    const members = own.flatMap(([label, value]) => [encodeCbor(label), encodeCbor(value)]);
    return new Uint8Array(Buffer.concat([map, ...members, encodeCbor(4), list]));
  });

/** An account whose id_token takes nearly 8 KiB, most of them for what is kept of its e-mail address. */
function largeAccount(issuer: OidcIssuer): MainFactor {
  const base = newAccount("GOOGLE", issuer);
  const sub = base.sub.padEnd(255, "s");
  const email = `\u{1f600}\u{1f600}more@${filling(4_800)}.example`;
  const claims = { sub, email };
  const withClaims = (challenge: ChallengeValue, options: Parameters<Account["authorize"]>[1] = {}) =>
    base.authorize(challenge, { claims, ...options });
  return {
    ...base,
    ref: { ...base.ref, key: base.ref.key.replace(base.sub, sub) },
    register() {
      const keypair = createFactorKeypair();
      const token = issuer.token("GOOGLE", keypair.publicKey, { claims });
      expect(token.length).toBeLessThanOrEqual(8 * KIB);
      return {
        newFactor: { kind: "OIDC_ACCOUNT", oidcToken: token },
        answer: (challenge) => withClaims(challenge, { keypair, token }),
      };
    },
    prove: (challenge): AuthorizationBody => withClaims(challenge),
  };
}

for (const driver of DRIVERS)
  describe(`the largest backup (${driver.name})`, () => {
    const { service, issuer } = factorService(driver);
    const turnkeyProviderId = filling(4 * KIB);

    async function addMain(existing: MainFactor, added: MainFactor, key: EncryptionKeyBody | null) {
      const { client, clock } = service();
      const addition = { existing, existingKind: existing.existingKind, added, nowMs: clock.nowMs() };
      const request = await additionRequest(client, addition);
      const provider = added.kind === "OIDC_ACCOUNT" ? { turnkeyProviderId } : {};
      return client.addFactor({ ...request, ...provider, encryptedBackupKey: key });
    }

    async function addSync(main: MainFactor, added: FactorKeypair) {
      const { client } = service();
      const { syncFactorToken } = await recoveredBy(client, main);
      return client.addSyncFactor(await addSyncFactorRequest(client, added, syncFactorToken));
    }

    const KINDS: readonly (readonly [name: string, make: () => MainFactor])[] = [
      ["passkeys", longPasskey],
      ["passkeys whose keys grow", growingPasskey],
      ["accounts", () => largeAccount(issuer)],
    ];
    for (const [name, make] of KINDS)
      test(`of ${name} is made, recovered, synced, changed and deleted`, async () => {
        const { client, services } = service();
        const user = newFactorUser(make());
        const backupId = user.account.backupAccountId;
        const payload = await createPayloadOf(client, user);
        const created = await client.create(
          { ...payload, turnkeyProviderId, initialEncryptionKey: KEYS[0] },
          user.backup,
        );
        created.ok();
        const mains = [user.main, ...Array.from({ length: MAIN_FACTORS - 1 }, make)];
        for (const [index, added] of mains.slice(1).entries())
          (await addMain(user.main, added, KEYS[index + 1] ?? null)).ok();
        const syncs = Array.from({ length: SYNC_FACTORS - 1 }, () => createFactorKeypair());
        for (const added of syncs) (await addSync(user.main, added)).ok();

        const { metadata } = await storedRecord(services, backupId);
        const bytes = Buffer.byteLength(JSON.stringify(metadata));
        expect(bytes).toBeGreaterThan(name === "accounts" ? 120 * KIB : 220 * KIB);
        expect(bytes).toBeLessThan(MAX_METADATA_BYTES - 100 * KIB);

        expect((await addMain(user.main, make(), null)).code()).toBe("too_many_factors");
        expect((await addSync(user.main, createFactorKeypair())).code()).toBe("too_many_factors");

        for (const main of [mains.at(-1) ?? user.main, user.main]) {
          const recovered = await recoveredBy(client, main);
          expect(recovered.backup).toBe(Buffer.from(user.backup).toString("base64"));
          expect(recovered.metadata.factors).toHaveLength(MAIN_FACTORS);
          expect(recovered.metadata.syncFactors).toHaveLength(SYNC_FACTORS);
          expect(recovered.metadata.keys).toEqual(KEYS as never);
          expect((await client.verifyFactor(await proven(client, "verify-factor", main))).ok().backupId).toBe(
            backupId,
          );
        }
        const newHash = newManifestHash();
        const synced = await client.sync(await syncPayload(client, user, newHash), user.backup);
        synced.ok();
        const proof = await solved(client, "retrieve-metadata", syncs.at(-1) ?? user.sync);
        const read = (await client.retrieveMetadata(proof)).ok();
        expect(read.manifestHash).toBe(newHash);
        expect(read.factors).toHaveLength(MAIN_FACTORS);
        const removed = await removeFactor(client, user.sync, read.factors.at(-1)?.id ?? "");
        expect(removed.ok().backupDeleted).toBe(false);
        (await addMain(user.main, mains.at(-1) ?? make(), null)).ok();

        const deletion = await client.deleteBackup(await solved(client, "delete-backup", user.sync));
        expect(deletion.status).toBe(204);
        expect(await services.records.read(backupId)).toBeNull();
        for (const factor of [
          ...mains,
          ...[user.sync, ...syncs].map((keypair) => newKeypair(keypair, "SYNC")),
        ])
          expect(await indexedAs(service().services, factor.ref)).toBeNull();
      });

    test("has no room for more where an earlier version left the record large, and goes on", async () => {
      const { client, services } = service();
      const user = newFactorUser(newPasskey());
      (await client.create(await createPayloadOf(client, user), user.backup)).ok();
      const backupId = user.account.backupAccountId;
      await rewriteMetadata(services, backupId, (metadata) => {
        const without = Buffer.byteLength(JSON.stringify({ ...metadata, legacy: "" }));
        return { ...metadata, legacy: filling(MAX_METADATA_BYTES - without - 100) };
      });

      for (const added of [newPasskey(), newKeypair()]) {
        const answer = await addMain(user.main, added, null);
        expect([answer.status, answer.code()]).toEqual([409, "too_many_factors"]);
        expect(await indexedAs(service().services, added.ref)).toBeNull();
      }
      const keypair = createFactorKeypair();
      const answer = await addSync(user.main, keypair);
      expect([answer.status, answer.code()]).toEqual([409, "too_many_factors"]);
      expect(await indexedAs(service().services, newKeypair(keypair, "SYNC").ref)).toBeNull();
      (await client.sync(await syncPayload(client, user), user.backup)).ok();
      expect((await recoveredBy(client, user.main)).metadata.factors).toHaveLength(1);
    });
  });
