import { expect, test } from "bun:test";
import { describedPasskey } from "../../../src/proofs/passkey/stored-registration.ts";
import { SoftwareAuthenticator } from "../../support/software-authenticator.ts";

const options = { publicKey: { challenge: Buffer.alloc(32, 1).toString("base64url") } };
const device = new SoftwareAuthenticator();
const registration = device.register(options);

test("a stored registration describes the model and the transports of its passkey", () => {
  const transports = ["internal", "hybrid"];
  const described = describedPasskey({
    ...registration,
    response: { ...registration.response, transports },
  });
  expect(described).toEqual({
    aaguid: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
    transports,
  });
});

test.each([[null], ["{}"], [{}], [device.assert(options)]])("%p describes none", (stored) => {
  expect(describedPasskey(stored)).toBeNull();
});
