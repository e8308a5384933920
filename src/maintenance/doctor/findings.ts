/** What the doctor can find wrong with stored backups, and how it reports it. */
import { encodeHex, sha256 } from "../../crypto/encoding.ts";
import { appOf } from "../../storage/app-scope.ts";
import type { FactorRef } from "../../storage/contract.ts";

/**
 * Each kind of finding: what is wrong, and what a repair does about it; `null` where only a person can decide. Where the
 * metadata is not usable, the factors and index rows of its backup are not checked.
 */
export const FINDINGS = {
  "row-without-backup": {
    problem: "an index row leads to a backup that is not stored",
    remedy: "release the index row",
  },
  "row-without-factor": {
    problem: "an index row leads to a backup that does not list the factor",
    remedy: "release the index row",
  },
  "factor-without-row": { problem: "a listed factor is not in the index", remedy: "add the index row" },
  "row-of-another-backup": { problem: "a listed factor leads to another backup", remedy: null },
  /** In one scope; or two factors have the same id. */
  "factor-twice": { problem: "a factor is listed twice", remedy: null },
  "metadata-unreadable": { problem: "the metadata cannot be read", remedy: null },
  "metadata-of-newer-version": {
    problem: "the metadata is of a newer version of the service",
    remedy: null,
  },
  "metadata-of-another-backup": { problem: "the metadata is that of another backup", remedy: null },
  "blob-missing": { problem: "the ciphertext is missing", remedy: null },
  "blob-damaged": { problem: "the ciphertext is damaged", remedy: null },
  "collection-overdue": {
    problem: "deleted backups were to be removed for good, and are still there",
    remedy: "remove all whose time is over",
  },
  "blob-unreferenced": { problem: "no record refers to this ciphertext", remedy: "delete the blob" },
  "blob-of-unknown-backup": {
    problem: "a ciphertext of a backup that has no record; it may be another installation's",
    remedy: null,
  },
  "blob-newer-than-records": {
    problem: "no record refers to this ciphertext, and records from the same time may be missing",
    remedy: null,
  },
  "events-not-delivered": { problem: "the webhook does not take events", remedy: null },
} as const;

export type FindingKind = keyof typeof FINDINGS;

/** What a repair deletes only when the operator names the kind. */
export const REMOVABLE = ["blob-of-unknown-backup", "blob-newer-than-records"] as const;
export type RemovableKind = (typeof REMOVABLE)[number];

/** A factor in a report: it can be compared with a known factor, and does not reveal an unknown one. */
export interface ShownFactor {
  readonly scope: FactorRef["scope"];
  /** `PK`, `OIDC` or `EC_KEYPAIR`; `SHA-256` where the store has only a hash of the key. */
  readonly kind: string;
  /** The first 16 hex digits of the SHA-256 of the key as it is stored. */
  readonly keyHash: string;
}

export interface Finding {
  readonly kind: FindingKind;
  /** As it is stored: after the name of its app, where it has one with a scope (storage/app-scope.ts). */
  readonly backupId: string | null;
  readonly factor: ShownFactor | null;
  readonly blobKey: string | null;
  /** What exactly is wrong, where the kind does not say it all. */
  readonly detail: string | null;
  /** What would repair it; `null` when nothing is safe to do. */
  readonly remedy: string | null;
  readonly repaired: boolean;
}

/** A finding that is not repaired, with the remedy of its kind. */
export function finding(
  kind: FindingKind,
  about: Partial<Pick<Finding, "backupId" | "factor" | "blobKey" | "detail">>,
): Finding {
  const nothing = { backupId: null, factor: null, blobKey: null, detail: null };
  return { kind, ...nothing, ...about, remedy: FINDINGS[kind].remedy, repaired: false };
}

/** @param factor as it is stored. */
export function shownFactor({ scope, key }: FactorRef): ShownFactor {
  return { scope, kind: appOf(key).id.split("|", 1)[0] ?? "", keyHash: encodeHex(sha256(key)).slice(0, 16) };
}
