import { expect } from "bun:test";

/** The options to make a passkey that the device can offer: on Android, and wherever one is added to a backup. */
export function discoverablePasskeyOptions(user: { readonly name: string; readonly displayName: string }) {
  return {
    publicKey: {
      rp: { name: "Backup Service", id: "localhost" },
      user: { id: expect.stringMatching(/^[\w-]{22}$/), ...user },
      challenge: expect.stringMatching(/^[\w-]{43}$/),
      pubKeyCredParams: [
        { type: "public-key", alg: -7 },
        { type: "public-key", alg: -257 },
      ],
      timeout: 300_000,
      attestation: "none",
      authenticatorSelection: {
        authenticatorAttachment: "platform",
        residentKey: "required",
        requireResidentKey: true,
        userVerification: "required",
      },
      hints: ["client-device"],
      extensions: { uvm: true, credProps: true },
    },
  };
}
