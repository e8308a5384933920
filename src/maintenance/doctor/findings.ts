/** What the doctor can find wrong with stored backups, and how it reports it. */
import { encodeHex, sha256 } from "../../crypto/encoding.ts";
import type { FactorRef } from "../../storage/contract.ts";

/** Each kind of finding, and what a repair does about it; `null` where only a person can decide. */
export const REMEDIES = {
  /** An index row leads to a backup that is not stored. */
  "row-without-backup": "release the index row",
  /** An index row leads to a backup whose metadata does not list the factor. */
  "row-without-factor": "release the index row",
  /** A listed factor is not in the index, so that it does not lead to its backup. */
  "factor-without-row": "add the index row",
  /** A listed factor leads to another backup. */
  "row-of-another-backup": null,
  /** A backup lists a factor, or the id of one, more than once in one scope. */
  "factor-twice": null,
  /** Metadata is no JSON or does not fit its schema. Its factors and index rows are not judged. */
  "metadata-unreadable": null,
  /** A newer version of the service stored the metadata. Its factors and index rows are not judged. */
  "metadata-of-newer-version": null,
  /** Metadata is that of another backup. Its factors and index rows are not judged. */
  "metadata-of-another-backup": null,
  /** The current ciphertext of a backup is not stored. */
  "blob-missing": null,
  /** The current ciphertext of a backup has another size, or another hash. */
  "blob-damaged": null,
  /** A ciphertext that no record refers to is older than any request can be. */
  "blob-unreferenced": "delete the blob",
  /** The same, and there is no record of the backup that it was stored for: it may be another installation's. */
  "blob-of-unknown-backup": null,
  /** The same, of a time of which records are missing: it may be what a backup has lost. */
  "blob-newer-than-records": null,
} as const;

export type FindingKind = keyof typeof REMEDIES;

/** What a repair deletes only when the operator names the kind. */
export const REMOVABLE = ["blob-of-unknown-backup", "blob-newer-than-records"] as const;
export type RemovableKind = (typeof REMOVABLE)[number];

/** A factor as it may be shown: which one it is can be checked with the factor itself, and not be learnt. */
export interface ShownFactor {
  readonly scope: FactorRef["scope"];
  /** `PK`, `OIDC` or `EC_KEYPAIR`; `SHA-256` where the store has only a hash of the key. */
  readonly kind: string;
  /** The first 16 hex digits of the SHA-256 of the key as it is stored. */
  readonly keyHash: string;
}

export interface Finding {
  readonly kind: FindingKind;
  readonly backupId: string | null;
  readonly factor: ShownFactor | null;
  readonly blobKey: string | null;
  /** What exactly is wrong, where the kind does not say it all. */
  readonly detail: string | null;
  /** What would repair it; `null` when nothing is safe to do. */
  readonly remedy: string | null;
  readonly repaired: boolean;
}

/** A finding that nothing was done about yet, with the usual remedy of its kind. */
export function finding(
  kind: FindingKind,
  about: Partial<Pick<Finding, "backupId" | "factor" | "blobKey" | "detail">>,
): Finding {
  const nothing = { backupId: null, factor: null, blobKey: null, detail: null };
  return { kind, ...nothing, ...about, remedy: REMEDIES[kind], repaired: false };
}

/** @param factor as it is stored. */
export function shownFactor({ scope, key }: FactorRef): ShownFactor {
  return { scope, kind: key.split("|", 1)[0] ?? "", keyHash: encodeHex(sha256(key)).slice(0, 16) };
}
