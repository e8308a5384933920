import type { AccountFactor } from "./account.ts";
import type { KeypairFactor } from "./keypair.ts";
import type { PasskeyFactor } from "./passkey.ts";

/** A factor that may recover a backup. */
export type MainFactor = KeypairFactor | PasskeyFactor | AccountFactor;
