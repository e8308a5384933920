/** Every main factor adds every other one, where the service requires that all of the addition is authorised. */
import { afterAll, describe, expect, test } from "bun:test";
import { accountKey } from "../../src/client/account-key.ts";
import {
  createBackupClient,
  type EncryptionKey,
  idToken,
  keypair,
  type MainFactor,
  OutcomeUnknownError,
  passkey,
  turnkeyStamp,
} from "../../src/client/index.ts";
import { paths } from "../../src/protocol/paths.ts";
import { DRIVERS } from "../drivers.ts";
import { faultyTransport } from "../support/faulty-transport.ts";
import { OidcIssuer } from "../support/oidc-issuer.ts";
import { sharedService } from "../support/shared-service.ts";
import { softwarePasskeys } from "../support/software-passkeys.ts";
import { turnkeyActivity } from "../support/turnkey-activity.ts";
import { turnkeyStamper } from "../support/turnkey-stamper.ts";

const KEYS: Readonly<Record<MainFactor["kind"], EncryptionKey>> = {
  PASSKEY: { kind: "PRF", encryptedKey: "a2V5" },
  EC_KEYPAIR: { kind: "ICLOUD", encryptedKey: "a2V5" },
  OIDC_ACCOUNT: {
    kind: "TURNKEY",
    encryptedKey: "a2V5",
    turnkeyAccountId: "a",
    turnkeyUserId: "u",
    turnkeyPrivateKeyId: "k",
  },
};
const activityOf = (challenge: string) =>
  turnkeyActivity({ challenge: Buffer.from(challenge, "base64"), organizationId: "a", nowMs: Date.now() });
const KINDS = Object.keys(KEYS) as MainFactor["kind"][]; // those of the type

for (const driver of DRIVERS)
  describe(`an addition (${driver.name})`, () => {
    const issuer = new OidcIssuer({ nowMs: () => service().clock.nowMs() });
    const service = sharedService(driver, { env: { ...issuer.env, ADD_FACTOR_BINDING: "required" } });
    afterAll(() => issuer[Symbol.asyncDispose]());

    async function newFactor(kind: MainFactor["kind"]): Promise<MainFactor> {
      if (kind === "EC_KEYPAIR") return keypair();
      if (kind === "PASSKEY") return passkey({ passkeys: softwarePasskeys(), label: "Handy ✓" });
      return newAccount().factor;
    }

    /** An account, and how often it has signed in. */
    function newAccount() {
      const claims = { sub: crypto.randomUUID() };
      const signIns: string[] = [];
      const factor = idToken({
        provider: "GOOGLE",
        async signIn(nonce, publicKey) {
          signIns.push(nonce);
          return issuer.token("GOOGLE", publicKey, { claims });
        },
      });
      return { factor, signIns };
    }

    /** A new backup with this main factor. */
    async function created(main: MainFactor) {
      const client = createBackupClient({ url: service().url });
      const sync = await keypair();
      await client.create({
        main,
        sync,
        account: accountKey(),
        content: Uint8Array.of(1),
        encryptionKey: KEYS[main.kind],
        ...(main.kind === "OIDC_ACCOUNT" ? { turnkeyProviderId: "p" } : {}),
      });
      return { client, sync };
    }

    for (const existingKind of KINDS)
      for (const addedKind of KINDS)
        test(`of ${addedKind} by ${existingKind} is authorised as a whole, and recovers`, async () => {
          const [existing, added] = [await newFactor(existingKind), await newFactor(addedKind)];
          const { client } = await created(existing);
          const { factorId, backupMetadata } = await client.addFactor({
            existing,
            added,
            ...(existingKind === addedKind ? {} : { encryptionKey: KEYS[addedKind] }),
            ...(addedKind === "OIDC_ACCOUNT" ? { turnkeyProviderId: "p" } : {}),
          });
          expect(backupMetadata.factors.map(({ id }) => id)).toContain(factorId);
          const recovered = await client.recover(added);
          expect(recovered.content).toEqual(Uint8Array.of(1));
          expect(recovered.metadata.factors.map(({ kind }) => kind.kind)).toEqual([existingKind, addedKind]);
        });

    for (const addedKind of KINDS)
      test(`of ${addedKind} by a Turnkey stamp is authorised as a whole by one prompt`, async () => {
        const passkeys = softwarePasskeys();
        const { client } = await created(passkey({ passkeys }));
        const bodies: string[] = [];
        const existing = turnkeyStamp({
          activity(challenge) {
            bodies.push(activityOf(challenge));
            return bodies[0] ?? "";
          },
          stamper: turnkeyStamper(passkeys),
        });
        const [before, added] = [passkeys.asked.length, await newFactor(addedKind)];
        expect(existing.stamped).toBeNull();
        const { factorId, backupMetadata } = await client.addFactor({
          existing,
          added,
          ...(addedKind === "PASSKEY" ? {} : { encryptionKey: KEYS[addedKind] }),
          ...(addedKind === "OIDC_ACCOUNT" ? { turnkeyProviderId: "p" } : {}),
        });
        expect(backupMetadata.factors.at(-1)?.id).toBe(factorId);
        expect(passkeys.asked).toHaveLength(before + 1);
        const [body = ""] = bodies;
        expect(Buffer.from(JSON.parse(body).metadata.challenge, "base64")).toHaveLength(64);
        const stampHeaderValue = expect.stringContaining('"credentialId"');
        const stamp = { stampHeaderName: "X-Stamp-Webauthn", stampHeaderValue };
        expect(existing.stamped).toEqual({ body, stamp });
      });

    test("is not authorised by the stamp of an API key", async () => {
      const { client } = await created(await newFactor("PASSKEY"));
      const stamp = async () => ({ stampHeaderName: "X-Stamp", stampHeaderValue: "eyJ9" });
      const existing = turnkeyStamp({ activity: activityOf, stamper: { stamp } });
      const addition = client.addFactor({ existing, added: await keypair() });
      await expect(addition).rejects.toThrow("X-Stamp is no stamp of a passkey");
    });

    test("of a key to an account that is there needs one sign-in", async () => {
      const { factor, signIns } = newAccount();
      const { client } = await created(factor);
      const before = signIns.length;
      const { backupMetadata } = await client.addFactor({
        existing: factor,
        added: factor,
        encryptionKey: KEYS.PASSKEY,
        turnkeyProviderId: "p",
      });
      expect(signIns).toHaveLength(before + 1);
      expect(backupMetadata.factors).toHaveLength(1);
      expect(backupMetadata.keys).toEqual([KEYS.OIDC_ACCOUNT, KEYS.PASSKEY]);
    });

    test("of an account whose response was lost names the factor only where it is the one of its provider", async () => {
      const existing = await keypair();
      const { sync } = await created(existing);
      const faults = faultyTransport();
      const retries = { pause: async () => {} };
      const client = createBackupClient({ url: service().url, transport: faults.transport, retries });
      const lostAddition = () => {
        faults.fail(paths.addFactor, "response is lost");
        const [added, encryptionKey] = [newAccount().factor, KEYS.OIDC_ACCOUNT];
        return client.addFactor({ existing, added, encryptionKey, turnkeyProviderId: "p", sync });
      };
      const { factorId, backupMetadata } = await lostAddition();
      expect(backupMetadata.factors.map(({ id }) => id)).toEqual([expect.any(String), factorId]);
      await expect(lostAddition()).rejects.toBeInstanceOf(OutcomeUnknownError);
      expect((await client.metadata(sync)).factors).toHaveLength(3);
    });

    test("is not bound where the app does not want it", async () => {
      const existing = await keypair();
      const { client } = await created(existing);
      const addition = client.addFactor({ existing, added: await keypair(), binding: false });
      await expect(addition).rejects.toMatchObject({ code: "existing_factor_material_binding_mismatch" });
    });

    test("has a key that is made with the secret of the new passkey", async () => {
      const existing = await keypair();
      const { client } = await created(existing);
      const added = passkey({ passkeys: softwarePasskeys() });
      const secrets: (Uint8Array | null)[] = [];
      await client.addFactor({
        existing,
        added,
        encryptionKey(prf) {
          secrets.push(prf);
          return KEYS.PASSKEY;
        },
      });
      expect(secrets).toEqual([added.prf]);
      expect(added.prf).toHaveLength(32);
    });
  });
