/** The user's encryption key, encrypted with a key that the service never sees. */
import { type SchemaOptions, type Static, type TString, type TUnsafe, Type } from "@sinclair/typebox";
import { object } from "./object.ts";
import { KIB, storedText } from "./text.ts";

const ENCRYPTED_KEY = {
  description: "The user's encryption key, encrypted with a key that the service never sees.",
};

function encryptionKey(bounded: (maxLength: number, options?: SchemaOptions) => TUnsafe<string> | TString) {
  const encryptedKey = bounded(8 * KIB, ENCRYPTED_KEY);
  return Type.Union(
    [
      object({ kind: Type.Literal("PRF"), encryptedKey }, { title: "For passkeys" }),
      object({ kind: Type.Literal("ICLOUD"), encryptedKey }, { title: "For keypairs" }),
      object(
        {
          kind: Type.Literal("TURNKEY"),
          encryptedKey,
          turnkeyAccountId: bounded(4 * KIB),
          turnkeyUserId: bounded(4 * KIB),
          turnkeyPrivateKeyId: bounded(4 * KIB),
        },
        { title: "For Google and Apple accounts" },
      ),
    ],
    { description: "A backup has at most one of each kind." },
  );
}

/** An encrypted key to store. */
export const EncryptionKey = encryptionKey(storedText);
export type EncryptionKey = Static<typeof EncryptionKey>;

/** A request's reference to a stored key: the same members, with the bounds of what may be stored. */
export const StoredEncryptionKey = encryptionKey((maxLength, options) =>
  Type.String({ ...options, maxLength }),
);

export const TurnkeyProviderId = storedText(4 * KIB, {
  description: "Required when the factor to register is a Google or Apple account.",
});
