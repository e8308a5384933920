/** Who may do what: every authenticated operation × every kind of factor × every way in which a proof can be wrong. */
import type { KeypairSolvable } from "../../src/protocol/challenge-operations.ts";
import type { Scope } from "../../src/protocol/factor.ts";
import { KEYPAIR_OPERATIONS } from "../support/proven-calls.ts";

/** What challenges are issued for. A proof made for one is tried on all others. */
export const CONTEXTS: readonly Context[] = [
  ...KEYPAIR_OPERATIONS,
  "add-factor",
  "add-factor-new",
  "backup-account",
];
export type Context = KeypairSolvable | "add-factor" | "add-factor-new" | "backup-account";

/** The factor that tries. `KEYPAIR` is in the operation's scope, `OTHER_KEYPAIR` in the other one only. */
export const FACTORS = [
  "PASSKEY",
  "PASSKEY_BY_STAMP",
  "GOOGLE",
  "APPLE",
  "KEYPAIR",
  "OTHER_KEYPAIR",
] as const;
export type FactorName = (typeof FACTORS)[number];

/** What is done to the proof, or to the factor. The last two use up what the others share. */
export const CONDITIONS = [
  "wrong context",
  "bound to another",
  "wrong token type",
  "expired",
  "not yet valid",
  "wrong key",
  "tampered signature",
  "swapped halves",
  "on no backup",
  "on another backup",
  "revoked",
  "indexed but not listed",
  "its backup is missing",
  "valid",
  "replay",
] as const;
export type Condition = (typeof CONDITIONS)[number];

/** `"done"` is a success, `"theirs"` what the operation does with the factor of another backup, `null` is no case. */
type Outcomes = Readonly<Record<Condition, string | null>>;

const everywhere = (code: string) =>
  Object.fromEntries(CONDITIONS.map((condition) => [condition, code])) as Record<Condition, string>;

const ACTS: Outcomes = {
  "wrong context": "invalid_challenge_context",
  "bound to another": "invalid_challenge_context",
  "wrong token type": "unexpected_challenge_type",
  expired: "jwt_error",
  "not yet valid": "jwt_error",
  "wrong key": "signature_verification_error",
  "tampered signature": "signature_verification_error",
  "swapped halves": "invalid_challenge_context",
  "on no backup": "backup_untraceable",
  "on another backup": "theirs",
  revoked: "backup_untraceable",
  "indexed but not listed": "unauthorized_factor",
  "its backup is missing": "backup_missing",
  valid: "done",
  replay: "already_used",
};
const IS_REGISTERED: Outcomes = {
  ...ACTS,
  "on no backup": null, // as it must be
  "on another backup": "factor_already_exists",
  revoked: "done",
  "indexed but not listed": "factor_already_exists",
  "its backup is missing": "factor_already_exists",
};
const ACTS_ON_DELETED: Outcomes = {
  ...ACTS,
  "on no backup": "backup_does_not_exist",
  revoked: "backup_does_not_exist",
  "indexed but not listed": null, // no index leads to a deleted backup
  "its backup is missing": null,
};
const WEBAUTHN = { "wrong key": "webauthn_error", "tampered signature": "webauthn_error" };

/** What a factor is answered in each condition, by the way in which it takes part in an operation. */
const OUTCOMES = {
  "acts by key": ACTS,
  "acts by passkey": { ...ACTS, ...WEBAUTHN },
  "acts by passkey where a stamp is usual": {
    ...ACTS,
    ...WEBAUTHN,
    "wrong context": "missing_turnkey_activity",
    "wrong token type": "missing_turnkey_activity",
    expired: "missing_turnkey_activity",
    "not yet valid": "missing_turnkey_activity",
  },
  "acts by stamp": {
    ...ACTS,
    "wrong key": "turnkey_activity_error",
    "tampered signature": "turnkey_activity_error",
    "indexed but not listed": "backup_untraceable",
  },
  "acts out of scope": {
    ...ACTS,
    "on another backup": "backup_untraceable",
    valid: "backup_untraceable",
    replay: "backup_untraceable",
  },
  "brings back by key": ACTS_ON_DELETED,
  "brings back by passkey": { ...ACTS_ON_DELETED, ...WEBAUTHN },
  "brings back out of scope": {
    ...ACTS_ON_DELETED,
    valid: "backup_does_not_exist",
    replay: "backup_does_not_exist",
  },
  "is registered by key": IS_REGISTERED,
  "is registered by id_token": { ...IS_REGISTERED, "swapped halves": "oidc_token_mismatch" },
  "is registered by passkey": {
    ...IS_REGISTERED,
    ...WEBAUTHN,
    "swapped halves": "passkey_registration_mismatch",
  },
  "may not act": everywhere("invalid_authorization_type"),
  "may not be registered": everywhere("invalid_sync_factor_type"),
} as const satisfies Readonly<Record<string, Outcomes>>;

export interface OperationRow {
  readonly name: string;
  /** What its challenge tokens are issued for. */
  readonly context: Context;
  readonly scope: Scope;
  /** What the factor of another backup is answered; `"done"` acts on that one. `null`: the operation registers a factor. */
  readonly theirs: string | null;
  readonly success: 200 | 204;
  /** What its tokens are bound to. */
  readonly boundTo?: "factorId" | "versionId" | "backupId";
  /** The user's backup is deleted. */
  readonly isOfDeleted?: true;
  /** It takes the proofs of two factors, each bound to the other. */
  readonly hasHalves?: true;
}

const main = { scope: "MAIN", success: 200 } as const;
const sync = { scope: "SYNC", success: 200 } as const;

export const OPERATIONS: readonly OperationRow[] = [
  { name: "create, main factor", context: "create", ...main, theirs: null },
  { name: "create, sync factor", context: "create", ...sync, theirs: null },
  { name: "retrieve", context: "retrieve", ...main, theirs: "done" },
  { name: "verify-factor", context: "verify-factor", ...main, theirs: "done" },
  { name: "add-sync-factor", context: "add-sync-factor", ...sync, theirs: null },
  { name: "sync", context: "sync", ...sync, theirs: "manifest_hash_mismatch" },
  {
    name: "restore-version",
    context: "restore-version",
    ...sync,
    theirs: "manifest_hash_mismatch",
    boundTo: "versionId",
  },
  {
    name: "undelete",
    context: "undelete",
    ...main,
    theirs: "backup_does_not_exist",
    boundTo: "backupId",
    isOfDeleted: true,
  },
  { name: "events", context: "events", ...sync, theirs: "done" },
  { name: "retrieve-metadata", context: "retrieve-metadata", ...sync, theirs: "done" },
  {
    name: "delete-factor",
    context: "delete-factor",
    ...sync,
    theirs: "factor_not_found",
    boundTo: "factorId",
  },
  { name: "delete-backup", context: "delete-backup", ...sync, theirs: "done", success: 204 },
  { name: "add-factor, existing factor", context: "add-factor", ...main, theirs: "done", hasHalves: true },
  { name: "add-factor, new factor", context: "add-factor-new", ...main, theirs: null, hasHalves: true },
];

/** `null` where the factor cannot take part in that way at all. */
function roleOf(
  { name, scope, theirs, isOfDeleted }: OperationRow,
  factor: FactorName,
): keyof typeof OUTCOMES | null {
  const registers = theirs === null;
  if (isOfDeleted) return roleInUndelete(factor);
  const takesStamps = name === "add-factor, existing factor";
  if (factor === "PASSKEY_BY_STAMP") return takesStamps ? "acts by stamp" : null;
  const isKeypair = factor === "KEYPAIR" || factor === "OTHER_KEYPAIR";
  if (scope === "SYNC" && !isKeypair) return registers ? "may not be registered" : "may not act";
  if (factor === "PASSKEY") {
    if (registers) return "is registered by passkey";
    return takesStamps ? "acts by passkey where a stamp is usual" : "acts by passkey";
  }
  if (registers) return isKeypair ? "is registered by key" : "is registered by id_token";
  return factor === "OTHER_KEYPAIR" ? "acts out of scope" : "acts by key";
}

function roleInUndelete(factor: FactorName): keyof typeof OUTCOMES | null {
  if (factor === "PASSKEY_BY_STAMP") return null;
  if (factor === "PASSKEY") return "brings back by passkey";
  return factor === "OTHER_KEYPAIR" ? "brings back out of scope" : "brings back by key";
}

export interface Case {
  readonly condition: Condition;
  /** The operation that the token is for. */
  readonly context: Context;
  readonly expected: readonly [status: number, code: string];
}

function casesOf(row: OperationRow, outcomes: Outcomes): readonly Case[] {
  return CONDITIONS.flatMap((condition): Case[] => {
    if (condition === "bound to another" && row.boundTo === undefined) return [];
    if (condition === "swapped halves" && row.hasHalves === undefined) return [];
    const code = outcomes[condition] === "theirs" ? row.theirs : outcomes[condition];
    if (code === null) return [];
    const expected = [statusOf(code, row), code] as const;
    const contexts =
      condition === "wrong context" ? CONTEXTS.filter((context) => context !== row.context) : [row.context];
    return contexts.map((context) => ({ condition, context, expected }));
  });
}

function statusOf(code: string, { success }: OperationRow): number {
  if (code === "done") return success;
  return code === "manifest_hash_mismatch" ? 412 : 400;
}

/** Each factor in each operation, with the cases to try in this order. */
export const MATRIX = OPERATIONS.flatMap((row) =>
  FACTORS.flatMap((factor) => {
    const role = roleOf(row, factor);
    return role === null ? [] : [{ row, factor, cases: casesOf(row, OUTCOMES[role]) }];
  }),
);
