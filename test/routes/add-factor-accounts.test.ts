import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import {
  additionChallenge,
  additionFixture,
  additionRequest,
  existingHalf,
  newHalf,
} from "../support/additions.ts";
import type { RequestBody } from "../support/api-client.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { type Account, created, newAccount, newKeypair, PRF, proven, TURNKEY } from "../support/factors.ts";
import { boundTo } from "../support/material-binding.ts";

for (const driver of DRIVERS) {
  describe(`add-factor by one session with a provider (${driver.name})`, () => {
    const { service, issuer, addition } = additionFixture(driver);

    /** A request whose two halves have one id_token and one key. */
    const oneSession = async (account: Account, more: RequestBody = {}, bound = false) => {
      const { client } = service();
      const keypair = createFactorKeypair();
      const token = issuer.token("GOOGLE", keypair.publicKey, {
        claims: { sub: account.sub, email: account.email },
      });
      const authorize: Account["prove"] = (challenge) => account.authorize(challenge, { keypair, token });
      const ceremony = {
        newFactor: { kind: "OIDC_ACCOUNT", oidcToken: token },
        answer: authorize,
      };
      const self = { ...account, prove: authorize };
      const given = { ...addition(self, self), ceremony };
      const { challenges } = await additionChallenge(client, given);
      const half = { ...newHalf(given, ceremony, challenges), ...more };
      const existing = existingHalf(given, bound ? boundTo(half, challenges) : challenges);
      return {
        session: { challengeType: "keypair", prove: authorize } as const,
        request: { ...existing, ...half },
      };
    };

    test("consumes its nonce once, and adds the key that is missing", async () => {
      const { client } = service();
      const user = await created(client, newAccount("GOOGLE", issuer));
      const { session, request } = await oneSession(user.main);
      const answer = await client.addFactor({ ...request, encryptedBackupKey: PRF });
      const { factorId, backupMetadata } = answer.ok();
      expect(backupMetadata.factors.map(({ id }) => id)).toEqual([factorId]);
      expect<unknown>(backupMetadata.keys).toEqual([TURNKEY, PRF]);
      expect((await client.addFactor(request)).code()).toBe("already_used");
      expect((await client.retrieve(await proven(client, "retrieve", session))).code()).toBe("already_used");
    });

    test("needs both signatures", async () => {
      const { client } = service();
      const user = await created(client, newAccount("GOOGLE", issuer));
      const { request } = await oneSession(user.main);
      const { existingFactorAuthorization: existing, newFactorAuthorization: added } = request;
      for (const half of [
        { existingFactorAuthorization: { ...existing, signature: added.signature } },
        { newFactorAuthorization: { ...added, signature: existing.signature } },
      ])
        expect((await client.addFactor({ ...request, ...half })).code()).toBe("signature_verification_error");
      (await client.addFactor(request)).ok();
    });

    test("binds what it adds", async () => {
      const { client } = service();
      const user = await created(client, newAccount("GOOGLE", issuer));
      const { request } = await oneSession(user.main, { encryptedBackupKey: PRF }, true);
      const other = { encryptedBackupKey: { ...PRF, encryptedKey: "theirs" } };
      expect((await client.addFactor({ ...request, ...other })).code()).toBe("signature_verification_error");
      expect<unknown>((await client.addFactor(request)).ok().backupMetadata.keys).toEqual([TURNKEY, PRF]);
    });

    test("is not two sessions of one key: their nonce would be consumed twice", async () => {
      const { client } = service();
      const user = await created(client, newAccount("GOOGLE", issuer));
      const { main } = user;
      const keypair = createFactorKeypair();
      const [one, other] = ["a", "b"].map((jti) =>
        issuer.token("GOOGLE", keypair.publicKey, { claims: { sub: main.sub, email: main.email, jti } }),
      );
      if (one === undefined || other === undefined) throw new Error("no tokens");
      const ceremony = {
        newFactor: { kind: "OIDC_ACCOUNT", oidcToken: other },
        answer: (challenge: Parameters<Account["prove"]>[0]) =>
          main.authorize(challenge, { keypair, token: other }),
      };
      const existing: Account = {
        ...main,
        prove: (challenge) => main.authorize(challenge, { keypair, token: one }),
      };
      const given = { ...addition(existing, main), ceremony };
      const request = await additionRequest(client, given);
      expect((await client.addFactor(request)).code()).toBe("already_used");
    });
  });

  describe(`add-factor where accounts may not add (${driver.name})`, () => {
    const { service, issuer, addition, send } = additionFixture(driver, {
      ADD_FACTOR_EXISTING_OIDC: "false",
    });

    test("refuses an existing account on both routes, before anything else", async () => {
      const { client } = service();
      const { publicKey } = createFactorKeypair();
      const newFactor = { kind: "EC_KEYPAIR", publicKey };
      const challenge = await client.addFactorChallenge({ newFactor, existingFactorKind: "OIDC_ACCOUNT" });
      expect([challenge.status, challenge.code()]).toEqual([400, "not_supported"]);

      const user = await created(client, newAccount("GOOGLE", issuer));
      const given = addition(newKeypair(), newKeypair());
      const request = await additionRequest(client, given);
      const session = user.main.prove("AAAA");
      const refused = await client.addFactor({
        ...request,
        existingFactorAuthorization: session,
        existingFactorChallengeToken: "x",
      });
      expect([refused.status, refused.code()]).toEqual([400, "not_supported"]);
    });

    test("takes other existing factors, and accounts as new ones", async () => {
      const { client } = service();
      const user = await created(client, newKeypair());
      (await send(addition(user.main, newAccount("GOOGLE", issuer)))).ok();
    });
  });
}
