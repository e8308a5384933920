import { ConfigError } from "./config-error.ts";
import { type Environment, EnvironmentReader } from "./environment.ts";

/** What is kept of the past of a backup. */
export interface HistoryConfig {
  /** Earlier contents of a backup: the newest ones, and the last one of each day with changes. 0 and 0 keep none. */
  readonly versions: { readonly keepLast: number; readonly keepDays: number };
  /** How long a deleted backup can be brought back; 0 deletes it at once. */
  readonly deletedKeepMs: number;
  /** How long the security log has an event. */
  readonly eventsKeepMs: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;

export function historyConfig(read: EnvironmentReader): HistoryConfig {
  return {
    versions: {
      keepLast: read.integer("VERSIONS_KEEP_LAST", 2, 0, 50),
      keepDays: read.integer("VERSIONS_KEEP_DAYS", 7, 0, 50),
    },
    deletedKeepMs: read.integer("DELETED_KEEP_DAYS", 7, 0, 365) * DAY_MS,
    eventsKeepMs: read.integer("EVENTS_KEEP_DAYS", 365, 1, 3_650) * DAY_MS,
  };
}

/**
 * How events and deleted backups are kept, for operator commands, which have none of the service's secrets.
 *
 * @throws ConfigError
 */
export function loadHistoryConfig(env: Environment): {
  /** How long the security log has an event. */
  readonly keepMs: number;
  /** Whether the service posts them to a webhook. */
  readonly isDelivered: boolean;
  readonly deletedKeepMs: number;
} {
  const read = new EnvironmentReader(env);
  const { eventsKeepMs: keepMs, deletedKeepMs } = historyConfig(read);
  if (read.problems.length > 0) throw new ConfigError(read.problems);
  return { keepMs, isDelivered: read.hasSecret("WEBHOOK_URL"), deletedKeepMs };
}
