/** The user's encryption key, itself encrypted by something the service never sees. */
import { type SchemaOptions, type Static, type TString, type TUnsafe, Type } from "@sinclair/typebox";
import { examples } from "./examples.ts";
import { object } from "./object.ts";
import { KIB, keptText } from "./text.ts";

const ENCRYPTED_KEY = {
  description: "The user's encryption key, encrypted by something the service never sees.",
  example: examples.encryptedKey,
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
    { description: "At most one of each kind is on a backup.", example: examples.encryptionKey },
  );
}

/** A key to keep. */
export const EncryptionKey = encryptionKey(keptText);
export type EncryptionKey = Static<typeof EncryptionKey>;

/** A key that is kept, by what was kept of it. */
export const StoredEncryptionKey = encryptionKey((maxLength, options) =>
  Type.String({ ...options, maxLength }),
);

export const TurnkeyProviderId = keptText(4 * KIB, {
  description: "Required when the factor to register is a Google or Apple account.",
});
