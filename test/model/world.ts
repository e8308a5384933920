/** The model of the service: the outcome and the next state of each operation, one after the other. */

/** Accounts, keypairs and contents by number. A keypair may serve in both scopes. */
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
  | { readonly op: "retrieve" | "verify-factor" | "delete-backup"; readonly by: number }
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

export type KeyKind = "PRF" | "ICLOUD";
export type Scope = "MAIN" | "SYNC";

export interface FactorModel {
  readonly keypair: number;
  readonly serial: number;
  /** The sync factor whose place it took, and when. */
  readonly replaced?: { readonly serial: number; readonly atMs: number };
}

export interface BackupModel {
  readonly content: number;
  readonly keys: readonly KeyKind[];
  readonly mains: readonly FactorModel[];
  readonly syncs: readonly FactorModel[];
  /** The time of the latest removal of a main factor; 0 if none was removed. */
  readonly mainRemovedAtMs: number;
}

export interface World {
  readonly nowMs: number;
  readonly backups: ReadonlyMap<number, BackupModel>;
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

export function emptyWorld(nowMs: number): World {
  return { nowMs, backups: new Map(), tokens: [], repeatableUntilMs: new Map(), nextSerial: 0 };
}

/** What the owner sees of a backup. */
export function viewOf(account: number, { content, keys, mains, syncs }: BackupModel) {
  const keypairs = (factors: readonly FactorModel[]) => factors.map(({ keypair }) => keypair);
  return { account, content, keys, mains: keypairs(mains), syncs: keypairs(syncs) };
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

/**
 * Applies an operation with a valid proof that was not used before.
 *
 * @param challengedAtMs when its challenge was issued.
 */
export function apply(world: World, op: Op, challengedAtMs: number): Step {
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

  switch (op.op) {
    case "create": {
      if (world.backups.has(op.account)) return refuse("backup_account_id_already_exists");
      if (owner("MAIN", op.main) !== null || owner("SYNC", op.sync) !== null)
        return refuse("factor_already_exists");
      const backup: BackupModel = {
        content: op.content,
        keys: ["ICLOUD"],
        mains: [{ keypair: op.main, serial: nextSerial }],
        syncs: [{ keypair: op.sync, serial: nextSerial + 1 }],
        mainRemovedAtMs: 0,
      };
      const changed = { backups: stored(op.account, backup), nextSerial: nextSerial + 2 };
      return answer(viewOf(op.account, backup), changed);
    }
    case "sync": {
      const found = owner("SYNC", op.by);
      if (found === null) return refuse("backup_untraceable");
      if (found.backup.content !== op.current) return refuse("manifest_hash_mismatch");
      return answer(found.account, { backups: stored(found.account, { ...found.backup, content: op.next }) });
    }
    case "retrieve": {
      const found = owner("MAIN", op.by);
      if (found === null) return refuse("backup_untraceable");
      const holder = found.backup.mains.find(({ keypair }) => keypair === op.by)?.serial ?? -1;
      const token = { account: found.account, holder, expiresAtMs: world.nowMs + LIFETIME_MS, used: false };
      const served = found.backup.content;
      return answer({ served, ...viewOf(found.account, found.backup) }, { tokens: [...world.tokens, token] });
    }
    case "verify-factor": {
      const found = owner("MAIN", op.by);
      return found === null ? refuse("backup_untraceable") : answer(found.account);
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
      if (backup.mains.some(({ keypair }) => keypair === op.factor)) return refuse("factor_already_exists");
      if (others.length >= MAX_SYNC_FACTORS) return refuse("too_many_factors");
      const added = { keypair: op.factor, serial: nextSerial };
      const replaced = replaces === null ? {} : { replaced: { serial: replaces, atMs: world.nowMs } };
      const syncs = [...others, { ...added, ...replaced }];
      return answer(account, {
        backups: stored(account, { ...backup, syncs }),
        tokens: world.tokens.map((other, index) => (index === op.token ? { ...other, used: true } : other)),
        nextSerial: nextSerial + 1,
      });
    }
    case "add-factor": {
      const found = owner("MAIN", op.by);
      if (found === null) return refuse("backup_untraceable");
      const { account, backup } = found;
      // Devices have one key of each kind, so a key of a kind that is stored is the identical one.
      const keys = op.key === null || backup.keys.includes(op.key) ? backup.keys : [...backup.keys, op.key];
      if (backup.mains.some(({ keypair }) => keypair === op.factor)) {
        const repeated = { ...backup, keys };
        return answer(viewOf(account, repeated), { backups: stored(account, repeated) });
      }
      if (backup.mains.length >= MAX_MAIN_FACTORS) return refuse("too_many_factors");
      if (owner("MAIN", op.factor) !== null) return refuse("factor_already_exists");
      const mains = [...backup.mains, { keypair: op.factor, serial: nextSerial }];
      const next = { ...backup, mains, keys };
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
        const next = { ...backup, syncs: remaining(backup.syncs) };
        return answer(viewOf(account, next), { backups: stored(account, next) });
      }
      const mains = remaining(backup.mains);
      if (mains.length === 0)
        return backup.mainRemovedAtMs > challengedAtMs
          ? refuse("conflicting_lock") // the device could not know that this one would be the last
          : answer(null, { backups: without(account) });
      if (op.key !== null && !backup.keys.includes(op.key)) return refuse("encryption_key_not_found");
      if (op.key === "ICLOUD") return refuse("factor_orphaned_from_encryption_key"); // all main factors are keypairs
      const keys = backup.keys.filter((kind) => kind !== op.key);
      const next = { ...backup, mains, keys, mainRemovedAtMs: world.nowMs };
      return answer(viewOf(account, next), { backups: stored(account, next) });
    }
    case "delete-backup": {
      const found = owner("SYNC", op.by);
      if (found !== null) {
        const repeatableUntilMs = new Map(world.repeatableUntilMs).set(op.by, world.nowMs + LIFETIME_MS);
        return answer(null, { backups: without(found.account), repeatableUntilMs });
      }
      const isRepeatable = (world.repeatableUntilMs.get(op.by) ?? 0) > world.nowMs;
      return isRepeatable ? answer(null) : refuse("backup_untraceable");
    }
    case "reset":
      return world.backups.has(op.account)
        ? answer(null, { backups: without(op.account) })
        : refuse("not_found");
    case "status": {
      const backup = world.backups.get(op.account);
      return backup === undefined ? refuse("not_found") : answer(backup.mains.length);
    }
  }
}
