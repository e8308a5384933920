import type { EnvironmentReader } from "./environment.ts";

/** What is kept of the past of a backup. */
export interface HistoryConfig {
  /** Earlier contents of a backup: the newest ones, and the last one of each day with changes. 0 and 0 keep none. */
  readonly versions: { readonly keepLast: number; readonly keepDays: number };
}

export function historyConfig(read: EnvironmentReader): HistoryConfig {
  return {
    versions: {
      keepLast: read.integer("VERSIONS_KEEP_LAST", 2, 0, 50),
      keepDays: read.integer("VERSIONS_KEEP_DAYS", 7, 0, 50),
    },
  };
}
