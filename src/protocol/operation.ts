import type { TSchema } from "@sinclair/typebox";
import type { Scope } from "./factor.ts";

/** All that a client and the service agree on about one operation. */
export interface WireOperation {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** The JSON body, or the part `payload` of an upload; `null` where there is no body. */
  readonly request: TSchema | null;
  /** The request is a multipart form with the ciphertext as a second part: see `upload.ts`. */
  readonly isUpload?: true;
  /** The body of the 200 answer; `null` for an empty 204. */
  readonly response: TSchema | null;
  /**
   * The scope of the factor on the backup that authorises it, or the key inside the account id. `null` where neither
   * is asked: the operation is open to all, or takes the proof of new factors.
   */
  readonly authorisedBy: Scope | "ACCOUNT_KEY" | null;
  /** The request carries the header `attestation-token`. */
  readonly attested?: true;
  /** Not there where it counts for nothing but failed proofs. */
  readonly countsAgainst?: CountedKind;
}

/**
 * What a request is counted as, for the limits of a client address. A `challenge` and a `status` request count when they
 * arrive, a `create` and a `destruction` when they succeed.
 */
export type CountedKind = "challenge" | "status" | "create" | "destruction";
