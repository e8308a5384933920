/** What real clients write at registration, and with what they come back to recover: over HTTP, through each driver. */
import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { createPayloadOf, factorService, newFactorUser, newPasskey } from "../support/factors.ts";
import type { CborValue, RegistrationTweaks, Tweaks } from "../support/software-authenticator.ts";
import { MAIN_OPERATIONS, sendPasskeyProof } from "./main-proofs.ts";

const CASES: readonly (readonly [name: string, then: RegistrationTweaks, now?: Tweaks])[] = [
  ["tokenBinding not-supported", { clientData: { tokenBinding: { status: "not-supported" } } }],
  ["tokenBinding as the library writes it", { clientData: { tokenBinding: { status: "notSupported" } } }],
  ["tokenBinding that is no object", { clientData: { tokenBinding: "present" } }],
  ["crossOrigin and topOrigin null", { clientData: { crossOrigin: null, topOrigin: null } }],
  ["no crossOrigin", { clientData: { crossOrigin: undefined } }],
  ["PRF results null", { clientExtensionResults: { prf: { enabled: true, results: null } } }],
  ["extension results null", { clientExtensionResults: null }],
  ["no extension results", { clientExtensionResults: undefined }],
  ["bytes as numbers", { encoding: "bytes" }],
  [
    "a text beyond ASCII among the authenticator's extensions",
    {},
    { extensions: new Uint8Array(Buffer.from("a16c74784175746853696d706c6568c3a4c3b6f09f9491", "hex")) },
  ],
  ["a counter that is lower on another device", {}, { counter: 3 }],
  ["the longest members of the client data", { clientData: { extra: "ä".repeat(2_000) } }],
  ["members of no use before its own in the key", { coseKey: new Map<number, CborValue>([[4, [1, 2]]]) }],
];

for (const driver of DRIVERS)
  describe(`a passkey that is registered can recover (${driver.name})`, () => {
    const { service } = factorService(driver);
    for (const [name, then, now = then] of CASES)
      test(`with ${name}`, async () => {
        const { client } = service();
        const passkey = newPasskey({ counter: 100 });
        const own = passkey.authenticator.coseKey();
        const coseKey = then.coseKey instanceof Map ? new Map([...then.coseKey, ...own]) : own;
        const user = newFactorUser(passkey);
        const payload = await createPayloadOf(client, user, (challenge) =>
          passkey.registerWith(challenge, { ...then, coseKey }),
        );
        const { backupMetadata } = (await client.create(payload, user.backup)).ok();
        const kind = backupMetadata.factors[0]?.kind;
        expect(JSON.stringify(kind?.kind === "PASSKEY" ? kind.registration : null)).toBe(
          JSON.stringify(payload.authorization.credential),
        );
        for (const operation of MAIN_OPERATIONS)
          (await sendPasskeyProof(client, operation, passkey, now)).ok();
      });
  });
