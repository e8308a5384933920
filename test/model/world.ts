/** The model of the service: the outcome and the next state of each operation, one after the other. */

/** Accounts, factors and contents by number. A number is a main factor and a sync factor; a keypair may be both. */
export type Op =
  | {
      readonly op: "create";
      readonly account: number;
      readonly main: number;
      readonly sync: number;
      readonly content: number;
    }
  /** `current: null` is a manifest hash that was never stored. */
  | { readonly op: "sync"; readonly by: number; readonly current: number | null; readonly next: number }
  /** `version`: its serial number; `null` is the current content, and another number one that is not there. */
  | { readonly op: "retrieve"; readonly by: number; readonly version: number | null }
  | {
      readonly op: "restore-version";
      readonly by: number;
      readonly version: number;
      readonly current: number | null;
    }
  | { readonly op: "verify-factor" | "delete-backup" | "list-events"; readonly by: number }
  | { readonly op: "undelete"; readonly by: number; readonly account: number }
  | { readonly op: "retrieve-metadata"; readonly by: number; readonly expecting: number | null }
  /** `token`: the index among all tokens that were issued; `null` is one that was never issued. */
  /** `replaces`: the serial number of a sync factor; `null` names none, another number is ignored. */
  | {
      readonly op: "add-sync-factor";
      readonly token: number | null;
      readonly factor: number;
      readonly replaces: number | null;
    }
  | { readonly op: "add-factor"; readonly by: number; readonly factor: number; readonly key: KeyKind | null }
  /** `target`: the serial number of a factor; `null` is one that never existed. */
  | {
      readonly op: "delete-factor";
      readonly by: number;
      readonly scope: Scope;
      readonly target: number | null;
      readonly key: KeyKind | null;
    }
  | { readonly op: "reset" | "status"; readonly account: number };

export type KeyKind = "PRF" | "ICLOUD" | "TURNKEY";

/**
 * What matters of a kind of main factor. `stamps`: it agrees to another factor by a stamp on a Turnkey activity.
 * `refusesLower`: a signature counter that does not grow is refused.
 */
export interface MainModel {
  readonly kind: "PASSKEY" | "OIDC_ACCOUNT" | "EC_KEYPAIR";
  readonly stamps: boolean;
  readonly refusesLower: boolean;
}

/** The key that a backup needs while it has a factor of the kind. */
const KEY_OF = { PASSKEY: "PRF", OIDC_ACCOUNT: "TURNKEY", EC_KEYPAIR: "ICLOUD" } as const;
export type Scope = "MAIN" | "SYNC";

export interface FactorModel {
  readonly keypair: number;
  readonly serial: number;
  /** The signature counter of a passkey as stored; 0 for all other factors. */
  readonly counter: number;
  /** The sync factor whose place it took, and when. */
  readonly replaced?: { readonly serial: number; readonly atMs: number };
}

/** A content of a backup that another has replaced. */
export interface VersionModel {
  readonly content: number;
  readonly serial: number;
  readonly storedAtMs: number;
}

export interface EventModel {
  readonly kind: string;
  readonly atMs: number;
}

export interface BackupModel {
  readonly content: number;
  /** When the content was stored. */
  readonly storedAtMs: number;
  /** Newest first. */
  readonly versions: readonly VersionModel[];
  /** The oldest first, also those that the log has no longer. */
  readonly events: readonly EventModel[];
  readonly keys: readonly KeyKind[];
  readonly mains: readonly FactorModel[];
  readonly syncs: readonly FactorModel[];
  /** The time of the latest removal of a main factor; 0 if none was removed. */
  readonly mainRemovedAtMs: number;
}

/** A deleted backup, as it was. `deletedBy`: the serial number of the sync factor that did it. */
export interface DeletedModel {
  readonly account: number;
  readonly backup: BackupModel;
  readonly deletedBy: number;
  readonly keepUntilMs: number;
}

export interface World {
  readonly nowMs: number;
  /** The main factors by number. */
  readonly mains: readonly MainModel[];
  readonly backups: ReadonlyMap<number, BackupModel>;
  /** The latest deletion first, also those whose time is over. */
  readonly deleted: readonly DeletedModel[];
  /** `holder`: the factor that recovered; the token is invalid once this factor is removed. */
  readonly tokens: readonly {
    readonly account: number;
    readonly holder: number;
    readonly expiresAtMs: number;
    readonly used: boolean;
  }[];
  /** Until when a keypair that deleted a backup may repeat that. */
  readonly repeatableUntilMs: ReadonlyMap<number, number>;
  readonly nextSerial: number;
}

/** `ok` with what the client learns, or the code of the error. */
export type Outcome = { readonly ok: unknown } | { readonly code: string };

export const MAX_MAIN_FACTORS = 3;
export const MAX_SYNC_FACTORS = 3;
const LIFETIME_MS = 15 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;

/** What is kept of the past, in days but for the number of newest versions. */
export const KEPT = { lastVersions: 2, daysOfVersions: 2, deletedDays: 3, eventsDays: 5 } as const;

export function emptyWorld(nowMs: number, mains: readonly MainModel[]): World {
  return {
    nowMs,
    mains,
    backups: new Map(),
    deleted: [],
    tokens: [],
    repeatableUntilMs: new Map(),
    nextSerial: 0,
  };
}

/**
 * Which versions stay: the newest two, and the last content of each of the two latest days, unless it is the current
 * content. Days without a content do not count.
 */
function keptVersions(versions: readonly VersionModel[], currentAtMs: number): VersionModel[] {
  const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  const days = new Set([currentAtMs, ...versions.map(({ storedAtMs }) => storedAtMs)].map(dayOf));
  const lastOfDays = [...days]
    .flatMap((day) => {
      const ofDay = versions.filter(({ storedAtMs }) => dayOf(storedAtMs) === day);
      const lastMs = Math.max(...ofDay.map(({ storedAtMs }) => storedAtMs));
      if (day === dayOf(currentAtMs) && lastMs <= currentAtMs) return [];
      return ofDay.filter(({ storedAtMs }) => storedAtMs === lastMs).slice(0, 1);
    })
    .slice(0, KEPT.daysOfVersions);
  return versions.filter((version, place) => place < KEPT.lastVersions || lastOfDays.includes(version));
}

/** What the log of a backup shows, in no order: many events are of one millisecond. */
export function shownEvents(events: readonly EventModel[], nowMs: number): string[] {
  return events
    .filter(({ atMs }) => atMs + KEPT.eventsDays * DAY_MS > nowMs)
    .map(({ kind }) => kind)
    .toSorted();
}

/** The deleted backups that can be brought back. */
export function keptDeletions({ deleted, nowMs }: World): DeletedModel[] {
  return deleted.filter(({ keepUntilMs }) => keepUntilMs > nowMs);
}

/** What the owner sees of a backup. */
export function viewOf(account: number, { content, versions, keys, mains, syncs }: BackupModel) {
  const keypairs = (factors: readonly FactorModel[]) => factors.map(({ keypair }) => keypair);
  return {
    account,
    content,
    versions: versions.map((version) => version.content),
    keys,
    mains: keypairs(mains),
    syncs: keypairs(syncs),
  };
}

/** The account that a factor leads to. */
export function accountOf(world: World, scope: Scope, keypair: number): number | null {
  for (const [account, backup] of world.backups)
    if ((scope === "MAIN" ? backup.mains : backup.syncs).some((factor) => factor.keypair === keypair))
      return account;
  return null;
}

interface Step {
  readonly world: World;
  readonly outcome: Outcome;
}

/** What a request has of its own. */
export interface Signed {
  /** When its challenges were issued. */
  readonly challengedAtMs: number;
  /** The signature counter of the main factor that signs, and of the one that is registered; 0 where there is none. */
  readonly shown: number;
  readonly registered: number;
}

const MAX_ID_TOKEN_AGE_S = 5 * 60;
const MAX_ACTIVITY_AGE_MS = 5 * 60 * 1000;

/** Whether an id_token that was issued with the challenge is refused. */
export function isStale({ nowMs }: World, challengedAtMs: number): boolean {
  return Math.floor(challengedAtMs / 1000) < Math.floor(nowMs / 1000) - MAX_ID_TOKEN_AGE_S;
}

/** Whether an activity that was stamped with the challenge is refused. It is verified once its passkey is found. */
export function isStaleStamp(world: World, op: Op, challengedAtMs: number): boolean {
  return (
    op.op === "add-factor" &&
    world.mains[op.by]?.stamps === true &&
    accountOf(world, "MAIN", op.by) !== null &&
    world.nowMs - challengedAtMs > MAX_ACTIVITY_AGE_MS
  );
}

/** Applies an operation with a valid proof that was not used before. */
export function apply(world: World, op: Op, { challengedAtMs, shown, registered }: Signed): Step {
  const refuse = (code: string): Step => ({ world, outcome: { code } });
  const answer = (ok: unknown, changed: Partial<World> = {}): Step => ({
    world: { ...world, ...changed },
    outcome: { ok },
  });
  const stored = (account: number, backup: BackupModel) => new Map(world.backups).set(account, backup);
  const without = (account: number) => new Map([...world.backups].filter(([other]) => other !== account));
  const owner = (scope: Scope, keypair: number) => {
    const account = accountOf(world, scope, keypair);
    const backup = account === null ? undefined : world.backups.get(account);
    return account === null || backup === undefined ? null : { account, backup };
  };
  const { nextSerial } = world;
  const kindOf = (main: number) => world.mains[main]?.kind;
  /** The backup with the counter of the main factor that signs; `null` where that is refused. */
  const withCounter = (backup: BackupModel, by: number): BackupModel | null => {
    const stored = backup.mains.find(({ keypair }) => keypair === by)?.counter ?? 0;
    const wentBack = stored > 0 && shown <= stored;
    if (wentBack && world.mains[by]?.refusesLower) return null;
    const mains = backup.mains.map((main) => (main.keypair === by ? { ...main, counter: shown } : main));
    return { ...backup, mains, ...(wentBack ? logged(backup, "SIGNATURE_COUNTER_WENT_BACK") : {}) };
  };
  /** The backup that a main factor is on, with the counter that it has then. */
  const signer = (by: number): { readonly account: number; readonly backup: BackupModel } | string => {
    const found = owner("MAIN", by);
    if (found === null) return "backup_untraceable";
    const backup = withCounter(found.backup, by);
    return backup === null ? "webauthn_error" : { account: found.account, backup };
  };
  const logged = ({ events }: { readonly events: readonly EventModel[] }, ...kinds: string[]) => ({
    events: [...events, ...kinds.map((kind) => ({ kind, atMs: world.nowMs }))],
  });
  const withContent = (backup: BackupModel, content: number, storedAtMs: number): BackupModel => {
    const replaced = { content: backup.content, serial: nextSerial, storedAtMs: backup.storedAtMs };
    const versions = keptVersions([replaced, ...backup.versions], storedAtMs);
    return { ...backup, content, storedAtMs, versions };
  };
  /** The world without a backup, which can be brought back. */
  const withDeleted = (account: number, backup: BackupModel, by: number, ...kinds: string[]) => ({
    backups: without(account),
    deleted: [
      {
        account,
        backup: { ...backup, ...logged(backup, ...kinds) },
        deletedBy: backup.syncs.find(({ keypair }) => keypair === by)?.serial ?? -1,
        keepUntilMs: world.nowMs + KEPT.deletedDays * DAY_MS,
      },
      ...world.deleted,
    ],
  });

  switch (op.op) {
    case "create": {
      if (world.backups.has(op.account)) return refuse("backup_account_id_already_exists");
      if (owner("MAIN", op.main) !== null || owner("SYNC", op.sync) !== null)
        return refuse("factor_already_exists");
      const backup: BackupModel = {
        content: op.content,
        storedAtMs: world.nowMs,
        versions: [],
        ...logged({ events: [] }, "CREATED"),
        keys: [KEY_OF[kindOf(op.main) ?? "EC_KEYPAIR"]],
        mains: [{ keypair: op.main, serial: nextSerial, counter: registered }],
        syncs: [{ keypair: op.sync, serial: nextSerial + 1, counter: 0 }],
        mainRemovedAtMs: 0,
      };
      const changed = { backups: stored(op.account, backup), nextSerial: nextSerial + 2 };
      return answer(viewOf(op.account, backup), changed);
    }
    case "sync": {
      const found = owner("SYNC", op.by);
      if (found === null) return refuse("backup_untraceable");
      if (found.backup.content !== op.current) return refuse("manifest_hash_mismatch");
      return answer(found.account, {
        backups: stored(found.account, withContent(found.backup, op.next, world.nowMs)),
        nextSerial: nextSerial + 1,
      });
    }
    case "restore-version": {
      const found = owner("SYNC", op.by);
      if (found === null) return refuse("backup_untraceable");
      const { account, backup } = found;
      if (backup.content !== op.current) return refuse("manifest_hash_mismatch");
      const restored = backup.versions.find(({ serial }) => serial === op.version);
      if (restored === undefined) return refuse("version_not_found");
      const others = backup.versions.filter((version) => version !== restored);
      const next = {
        ...withContent({ ...backup, versions: others }, restored.content, restored.storedAtMs),
        ...logged(backup, "VERSION_RESTORED"),
      };
      return answer(viewOf(account, next), { backups: stored(account, next), nextSerial: nextSerial + 1 });
    }
    case "retrieve": {
      const found = signer(op.by);
      if (typeof found === "string") return refuse(found);
      const { account, backup } = found;
      const version = backup.versions.find(({ serial }) => serial === op.version);
      if (op.version !== null && version === undefined) return refuse("version_not_found");
      const holder = backup.mains.find(({ keypair }) => keypair === op.by)?.serial ?? -1;
      const token = { account, holder, expiresAtMs: world.nowMs + LIFETIME_MS, used: false };
      const served = (version ?? backup).content;
      return answer(
        { served, ...viewOf(account, backup) },
        {
          tokens: [...world.tokens, token],
          backups: stored(account, { ...backup, ...logged(backup, "RECOVERED") }),
        },
      );
    }
    case "verify-factor": {
      const found = signer(op.by);
      if (typeof found === "string") return refuse(found);
      return answer(found.account, { backups: stored(found.account, found.backup) });
    }
    case "retrieve-metadata": {
      const found = owner("SYNC", op.by);
      if (found === null) {
        if (op.expecting === null) return refuse("backup_untraceable");
        return refuse(world.backups.has(op.expecting) ? "unauthorized_factor" : "backup_does_not_exist");
      }
      if (op.expecting !== null && op.expecting !== found.account) return refuse("backup_id_mismatch");
      return answer(viewOf(found.account, found.backup));
    }
    case "add-sync-factor": {
      const token = op.token === null ? undefined : world.tokens[op.token];
      if (token === undefined || token.expiresAtMs <= world.nowMs) return refuse("token_not_found");
      if (token.used) return refuse("already_used");
      const { account } = token;
      const backup = world.backups.get(account);
      if (backup === undefined) return refuse("backup_not_found");
      if (!backup.mains.some(({ serial }) => serial === token.holder)) return refuse("token_not_found");
      if (owner("SYNC", op.factor) !== null) return refuse("factor_already_exists");
      const others = backup.syncs.filter(({ serial }) => serial !== op.replaces);
      const replaces = others.length < backup.syncs.length ? op.replaces : null;
      const isReplacedSince = backup.syncs.some(
        ({ replaced }) => replaced?.serial === op.replaces && replaced.atMs >= challengedAtMs,
      );
      if (replaces === null && op.replaces !== null && isReplacedSince) return refuse("conflicting_lock");
      if (kindOf(op.factor) === "EC_KEYPAIR" && backup.mains.some(({ keypair }) => keypair === op.factor))
        return refuse("factor_already_exists");
      if (others.length >= MAX_SYNC_FACTORS) return refuse("too_many_factors");
      const added = { keypair: op.factor, serial: nextSerial, counter: 0 };
      const replaced = replaces === null ? {} : { replaced: { serial: replaces, atMs: world.nowMs } };
      const syncs = [...others, { ...added, ...replaced }];
      const kind = replaces === null ? "SYNC_FACTOR_ADDED" : "SYNC_FACTOR_REPLACED";
      return answer(account, {
        backups: stored(account, { ...backup, syncs, ...logged(backup, kind) }),
        tokens: world.tokens.map((other, index) => (index === op.token ? { ...other, used: true } : other)),
        nextSerial: nextSerial + 1,
      });
    }
    case "add-factor": {
      const found = signer(op.by);
      // a passkey is looked up for its key, and so before the proof of the new factor
      if (typeof found === "string" && kindOf(op.by) === "PASSKEY") return refuse(found);
      if (kindOf(op.factor) === "OIDC_ACCOUNT" && isStale(world, challengedAtMs))
        return refuse("oidc_token_verification_error");
      if (typeof found === "string") return refuse(found);
      const { account, backup } = found;
      // Devices have one key of each kind, so a key of a kind that is stored is the identical one.
      const keys = op.key === null || backup.keys.includes(op.key) ? backup.keys : [...backup.keys, op.key];
      const keyEvents = keys === backup.keys ? [] : ["ENCRYPTION_KEY_ADDED"];
      if (backup.mains.some(({ keypair }) => keypair === op.factor)) {
        const repeated = { ...backup, keys, ...logged(backup, ...keyEvents) };
        return answer(viewOf(account, repeated), { backups: stored(account, repeated) });
      }
      if (backup.mains.length >= MAX_MAIN_FACTORS) return refuse("too_many_factors");
      if (owner("MAIN", op.factor) !== null) return refuse("factor_already_exists");
      const mains = [...backup.mains, { keypair: op.factor, serial: nextSerial, counter: registered }];
      const next = { ...backup, mains, keys, ...logged(backup, "MAIN_FACTOR_ADDED", ...keyEvents) };
      return answer(viewOf(account, next), { backups: stored(account, next), nextSerial: nextSerial + 1 });
    }
    case "delete-factor": {
      if (op.scope === "SYNC" && op.key !== null) return refuse("encryption_key_not_allowed");
      const found = owner("SYNC", op.by);
      if (found === null) return refuse("backup_untraceable");
      const { account, backup } = found;
      const remaining = (factors: readonly FactorModel[]) =>
        factors.filter(({ serial }) => serial !== op.target);
      const listed = op.scope === "MAIN" ? backup.mains : backup.syncs;
      if (remaining(listed).length === listed.length) return refuse("factor_not_found");
      if (op.scope === "SYNC") {
        const syncs = remaining(backup.syncs);
        const next = { ...backup, syncs, ...logged(backup, "SYNC_FACTOR_REMOVED") };
        return answer(viewOf(account, next), { backups: stored(account, next) });
      }
      const mains = remaining(backup.mains);
      if (mains.length === 0)
        return backup.mainRemovedAtMs > challengedAtMs
          ? refuse("conflicting_lock") // the device could not know that this one would be the last
          : answer(null, withDeleted(account, backup, op.by, "MAIN_FACTOR_REMOVED", "DELETED"));
      if (op.key !== null && !backup.keys.includes(op.key)) return refuse("encryption_key_not_found");
      if (mains.some(({ keypair }) => KEY_OF[kindOf(keypair) ?? "EC_KEYPAIR"] === op.key))
        return refuse("factor_orphaned_from_encryption_key");
      const keys = backup.keys.filter((kind) => kind !== op.key);
      const kinds = ["MAIN_FACTOR_REMOVED", ...(op.key === null ? [] : ["ENCRYPTION_KEY_REMOVED"])];
      const next = { ...backup, mains, keys, mainRemovedAtMs: world.nowMs, ...logged(backup, ...kinds) };
      return answer(viewOf(account, next), { backups: stored(account, next) });
    }
    case "delete-backup": {
      const found = owner("SYNC", op.by);
      if (found !== null) {
        const repeatableUntilMs = new Map(world.repeatableUntilMs).set(op.by, world.nowMs + LIFETIME_MS);
        const changed = withDeleted(found.account, found.backup, op.by, "DELETED");
        return answer(null, { ...changed, repeatableUntilMs });
      }
      const isRepeatable = (world.repeatableUntilMs.get(op.by) ?? 0) > world.nowMs;
      return isRepeatable ? answer(null) : refuse("backup_untraceable");
    }
    case "undelete": {
      const found = keptDeletions(world).find(
        ({ account, backup }) =>
          account === op.account && backup.mains.some(({ keypair }) => keypair === op.by),
      );
      if (found === undefined) return refuse("backup_does_not_exist");
      const { account } = found;
      const backup = withCounter(found.backup, op.by);
      if (backup === null) return refuse("webauthn_error");
      if (world.backups.has(account)) return refuse("backup_account_id_already_exists");
      const syncs = backup.syncs.filter(({ serial }) => serial !== found.deletedBy);
      const isUsed = (scope: Scope) => (factor: FactorModel) => owner(scope, factor.keypair) !== null;
      if (backup.mains.some(isUsed("MAIN")) || syncs.some(isUsed("SYNC")))
        return refuse("factor_already_exists");
      const next = { ...backup, syncs, ...logged(backup, "UNDELETED") };
      const deleted = world.deleted.filter((other) => other !== found);
      return answer(viewOf(account, next), { backups: stored(account, next), deleted });
    }
    case "list-events": {
      const found = owner("SYNC", op.by);
      return found === null
        ? refuse("backup_untraceable")
        : answer({ events: shownEvents(found.backup.events, world.nowMs) });
    }
    case "reset": {
      const isKept = keptDeletions(world).some(({ account }) => account === op.account);
      if (!world.backups.has(op.account) && !isKept) return refuse("not_found");
      const deleted = world.deleted.filter(({ account }) => account !== op.account);
      return answer(null, { backups: without(op.account), deleted });
    }
    case "status": {
      const backup = world.backups.get(op.account);
      return backup === undefined ? refuse("not_found") : answer(backup.mains.length);
    }
  }
}
