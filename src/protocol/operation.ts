import type { TSchema } from "@sinclair/typebox";
import type { Scope } from "./factor.ts";

/** The chapters of the API reference. */
export const tags = [
  { name: "Backups", description: "Create, recover, update and delete a backup." },
  { name: "Factors", description: "Who may do what to a backup." },
  { name: "Challenges", description: "What a factor has to solve in order to prove itself." },
  { name: "Service", description: "For operators and load balancers." },
  { name: "Development", description: "In development only." },
] as const;

/** The wire contract of one operation. */
export interface WireOperation {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly tag: (typeof tags)[number]["name"];
  readonly summary: string;
  readonly description: string;
  /** The JSON body, or the part `payload` of an upload; `null` where there is no body. */
  readonly request: TSchema | null;
  /** The body may be left out. */
  readonly isBodyOptional?: boolean;
  /** The request is a multipart form with the ciphertext as a second part, `backup`. */
  readonly isUpload?: true;
  /** The body of the 200 response; `null` for an empty 204. */
  readonly response: TSchema | null;
  /**
   * What authorises the operation: a factor of the backup with this scope, or the account key. `null` if the operation is
   * public or needs proofs of new factors only.
   */
  readonly authorisedBy: Scope | "ACCOUNT_KEY" | null;
  /** The request carries the header `attestation-token`. */
  readonly attested?: true;
  /** Absent if only failed proofs of the operation are counted. */
  readonly countsAgainst?: CountedKind;
}

/**
 * Which limit of the client address a request counts against. A `challenge` and a `status` request count on arrival, a
 * `create` and a `destruction` on success.
 */
export type CountedKind = "challenge" | "status" | "create" | "destruction";
