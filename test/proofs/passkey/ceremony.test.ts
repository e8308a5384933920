import { describe, expect, test } from "bun:test";
import { CeremonyFailure, requireCeremony } from "../../../src/proofs/passkey/ceremony.ts";
import { parseAssertion } from "../../../src/proofs/passkey/webauthn-credential.ts";
import { requestOptions } from "../../../src/proofs/passkey/webauthn-options.ts";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { SoftwareAuthenticator, type Tweaks } from "../../support/software-authenticator.ts";

const config = { rpId: "backup.example", rpName: "Backup", origins: ["https://backup.example"] };

/** Checks an assertion in which this is wrong. */
function check(tweaks: Tweaks, userVerification: "required" | "not needed" = "required") {
  const { options, challenge } = requestOptions(config, systemRandom);
  const assertion = parseAssertion(new SoftwareAuthenticator().assert(options, tweaks));
  return requireCeremony(assertion, { type: "webauthn.get", challenge, userVerification }, config);
}

describe("a ceremony", () => {
  test.each<[string, Tweaks]>([
    ["it is for another challenge", { challenge: "AAAA" }],
    ["its type is not webauthn.get", { type: "webauthn.create" }],
    ["it is from another origin", { origin: "https://backup.example:444" }],
    ["it is for another relying party", { rpId: "example" }],
    ["the user was not present", { flags: { up: false } }],
    ["the user was not verified", { flags: { uv: false } }],
    ["the passkey is backed up though it cannot be", { flags: { be: false, bs: true } }],
    ["the client data cannot be read", { clientDataText: () => "{" }],
    ["the client data cannot be read", { clientData: { crossOrigin: true } }],
    ["the client data cannot be read", { clientData: { topOrigin: "https://other.example" } }],
  ])("says why it is refused: %s", (reason, tweaks) => {
    expect(() => check(tweaks)).toThrow(new CeremonyFailure(reason));
  });

  test("has the cause where something cannot be read, and its own name", () => {
    const refused = Promise.try(() => check({ clientDataText: () => "{" }));
    return expect(refused).rejects.toMatchObject({
      name: "CeremonyFailure",
      cause: expect.any(SyntaxError),
    });
  });

  test("needs no verified user where none is asked for", () => {
    expect(check({ flags: { uv: false } }, "not needed")).toMatchObject({ userVerified: false });
  });

  test("may be of a passkey that can be backed up and is not", () => {
    const flags = { be: true, bs: false };
    expect(check({ flags })).toMatchObject({ backupEligible: true, backedUp: false });
  });
});
