import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import {
  type Addition,
  additionChallenge,
  additionFixture,
  EXISTING_KINDS,
  type ExistingKind,
  existingHalf,
  NEW_KINDS,
  newHalf,
} from "../support/additions.ts";
import type { ApiClient, RequestBody } from "../support/api-client.ts";
import { created, newKeypair, newPasskey, PRF, recoveredBy, TURNKEY } from "../support/factors.ts";
import { boundTo } from "../support/material-binding.ts";

const MISMATCH = "existing_factor_material_binding_mismatch";

/** A request whose existing factor authorised what is added; `more` is part of that. */
async function boundRequest(client: ApiClient, given: Addition, more: RequestBody = {}) {
  const { ceremony, challenges } = await additionChallenge(client, given);
  const half = { ...newHalf(given, ceremony, challenges), ...more };
  return { ...half, ...existingHalf(given, boundTo(half, challenges)) };
}

/** A ceremony and an activity say which bytes they are over. Of a key's signature nobody can tell. */
function refusalOf(kind: ExistingKind): string {
  return kind.startsWith("PASSKEY") ? MISMATCH : "signature_verification_error";
}

for (const driver of DRIVERS) {
  describe(`add-factor bound to what is added (${driver.name})`, () => {
    const { service, factorOf, addition, expectNothingAdded } = additionFixture(driver);

    for (const existingKind of EXISTING_KINDS) {
      for (const newKind of NEW_KINDS)
        test(`takes a ${newKind} with its key that ${existingKind} authorised`, async () => {
          const { client } = service();
          const user = await created(client, factorOf(existingKind));
          const added = factorOf(newKind, "APPLE");
          const request = await boundRequest(client, addition(user.main, added, existingKind), {
            encryptedBackupKey: added.encryptionKey,
          });
          const { factorId, backupMetadata } = (await client.addFactor(request)).ok();
          expect(backupMetadata.factors[1]?.id).toBe(factorId);
          expect((await client.addFactor(request)).code()).toBe("already_used");
          expect((await recoveredBy(client, added)).metadata).toEqual(backupMetadata);
        });

      test(`refuses anything else than ${existingKind} authorised, and consumes nothing`, async () => {
        const { client } = service();
        const user = await created(client, factorOf(existingKind));
        const added = newPasskey();
        const request = await boundRequest(client, addition(user.main, added, existingKind), {
          encryptedBackupKey: PRF,
        });
        const { newFactorAuthorization: authorization } = request;
        for (const tampered of [
          { newFactorAuthorization: { ...authorization, label: "My phone " } },
          { newFactorAuthorization: { ...authorization, label: null } },
          { turnkeyProviderId: "a provider" },
          { encryptedBackupKey: { ...PRF, encryptedKey: "theirs" } },
          { encryptedBackupKey: { ...PRF, kind: "ICLOUD" } },
          { encryptedBackupKey: null },
        ]) {
          const refused = await client.addFactor({ ...request, ...tampered });
          expect([refused.status, refused.code()]).toEqual([400, refusalOf(existingKind)]);
        }
        await expectNothingAdded(user, added);
        (await client.addFactor(request)).ok();
      });

      test(`refuses the digest behind another challenge than that of ${existingKind}`, async () => {
        const { client } = service();
        const user = await created(client, factorOf(existingKind));
        const given = addition(user.main, newKeypair(), existingKind);
        const { ceremony, challenges } = await additionChallenge(client, given);
        const half = newHalf(given, ceremony, challenges);
        const { existingFactorChallenge } = (await additionChallenge(client, given)).challenges;
        const foreign = boundTo(half, { ...challenges, existingFactorChallenge });
        const codes: Readonly<Record<ExistingKind, string>> = {
          PASSKEY: "invalid_challenge",
          PASSKEY_ASSERTION: "webauthn_error",
          OIDC_ACCOUNT: "signature_verification_error",
          EC_KEYPAIR: "signature_verification_error",
        };
        const answer = await client.addFactor({ ...half, ...existingHalf(given, foreign) });
        expect(answer.code()).toBe(codes[existingKind]);
      });
    }

    test("refuses PRF results of a new passkey as such, whoever authorised it", async () => {
      const { client } = service();
      for (const existingKind of EXISTING_KINDS) {
        const user = await created(client, factorOf(existingKind));
        const request = await boundRequest(client, addition(user.main, newPasskey(), existingKind));
        const { credential, ...authorization } = request.newFactorAuthorization;
        const leaking = {
          ...(credential as RequestBody),
          clientExtensionResults: { prf: { results: { first: "AAAA" } } },
        };
        const newFactorAuthorization = { ...authorization, credential: leaking };
        expect((await client.addFactor({ ...request, newFactorAuthorization })).code()).toBe(
          "webauthn_prf_results_not_allowed",
        );
      }
    });

    test("reports what is wrong with the new factor itself before its digest", async () => {
      const { client } = service();
      const user = await created(client, newPasskey());
      const request = await boundRequest(client, addition(user.main, newKeypair()));
      const { newFactorAuthorization: authorization } = request;
      const newFactorAuthorization = { ...authorization, signature: "AAAA" };
      expect((await client.addFactor({ ...request, newFactorAuthorization })).code()).toBe(
        "signature_verification_error",
      );
    });
  });

  describe(`add-factor where binding is required (${driver.name})`, () => {
    const { service, factorOf, addition, send, expectNothingAdded } = additionFixture(driver, {
      ADD_FACTOR_BINDING: "required",
    });

    for (const existingKind of EXISTING_KINDS)
      test(`refuses the challenge alone of ${existingKind}, and takes it with the digest`, async () => {
        const { client } = service();
        const user = await created(client, factorOf(existingKind));
        for (const newKind of NEW_KINDS) {
          const added = factorOf(newKind);
          const refused = await send(addition(user.main, added, existingKind));
          expect([refused.status, refused.code()]).toEqual([400, MISMATCH]);
          await expectNothingAdded(user, added);
        }
        (
          await client.addFactor(
            await boundRequest(client, addition(user.main, factorOf("OIDC_ACCOUNT"), existingKind)),
          )
        ).ok();
      });

    test("refuses an RS256 passkey: it has no digest", async () => {
      const user = await created(service().client, newKeypair());
      const refused = await send(addition(user.main, newPasskey({ algorithm: "RS256" })));
      expect(refused.code()).toBe(MISMATCH);
    });

    test("still reports a signature that is none", async () => {
      const { client } = service();
      const user = await created(client, newKeypair());
      const given = addition(user.main, newKeypair());
      const request = await boundRequest(client, given, { encryptedBackupKey: TURNKEY });
      const wrong = { ...request.existingFactorAuthorization, signature: "AAAA" };
      expect((await client.addFactor({ ...request, existingFactorAuthorization: wrong })).code()).toBe(
        "signature_verification_error",
      );
    });
  });
}
