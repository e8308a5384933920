import type { EnvironmentReader } from "./environment.ts";

export interface LimitsConfig {
  readonly maxBackupBytes: number;
  /** Total memory for request bodies. */
  readonly maxInFlightUploadBytes: number;
  /** Embedded driver: creates are refused while less disk space is free; 0 for no reserve. */
  readonly minFreeDiskBytes: number;
  /** Total temporary disk space for large responses. */
  readonly maxInFlightAnswerBytes: number;
  readonly maxMainFactors: number;
  readonly maxSyncFactors: number;
}

/** Rate limits for each client address and for each backup. */
export interface RateLimitConfig {
  readonly addressChallengesPerMinute: number;
  readonly addressFailuresPerMinute: number;
  readonly addressDestructionsPerMinute: number;
  readonly addressStatusPerMinute: number;
  readonly addressCreatesPerHour: number;
  readonly addressCreatedBytesPerHour: number;
  readonly backupFailuresPerHour: number;
  readonly backupDestructionsPerHour: number;
  readonly backupRestoresPerHour: number;
}

const MIB = 1024 * 1024;
const MAX_BACKUP_BYTES = 15 * MIB;

export function limitsConfig(read: EnvironmentReader): LimitsConfig {
  return {
    maxBackupBytes: read.integer("MAX_BACKUP_BYTES", MAX_BACKUP_BYTES, 1, MAX_BACKUP_BYTES),
    maxInFlightUploadBytes: read.integer(
      "MAX_IN_FLIGHT_UPLOAD_BYTES",
      256 * MIB,
      MAX_BACKUP_BYTES + 2 * MIB,
      1024 * 1024 * MIB,
    ),
    minFreeDiskBytes: read.integer("MIN_FREE_DISK_BYTES", 512 * MIB, 0, 1024 * 1024 * MIB),
    maxInFlightAnswerBytes: read.integer(
      "MAX_IN_FLIGHT_ANSWER_BYTES",
      4096 * MIB,
      256 * MIB,
      1024 * 1024 * MIB,
    ),
    maxMainFactors: read.integer("MAX_MAIN_FACTORS", 10, 1, 10),
    maxSyncFactors: read.integer("MAX_SYNC_FACTORS", 25, 1, 25),
  };
}

/** `null` if rate limits are off. */
export function rateLimitsConfig(read: EnvironmentReader, byDefault: boolean): RateLimitConfig | null {
  const most = 1_000_000;
  const limits = {
    addressChallengesPerMinute: read.integer("RATE_LIMIT_ADDRESS_CHALLENGES_PER_MINUTE", 6_000, 1, most),
    addressFailuresPerMinute: read.integer("RATE_LIMIT_ADDRESS_FAILURES_PER_MINUTE", 600, 1, most),
    addressDestructionsPerMinute: read.integer("RATE_LIMIT_ADDRESS_DESTRUCTIONS_PER_MINUTE", 300, 1, most),
    addressStatusPerMinute: read.integer("RATE_LIMIT_ADDRESS_STATUS_PER_MINUTE", 600, 1, most),
    addressCreatesPerHour: read.integer("RATE_LIMIT_ADDRESS_CREATES_PER_HOUR", 60, 1, most),
    addressCreatedBytesPerHour: read.integer(
      "RATE_LIMIT_ADDRESS_CREATED_BYTES_PER_HOUR",
      1024 * MIB,
      MAX_BACKUP_BYTES, // with less, the largest backup could never be created
      most * MAX_BACKUP_BYTES,
    ),
    backupFailuresPerHour: read.integer("RATE_LIMIT_BACKUP_FAILURES_PER_HOUR", 120, 1, most),
    backupDestructionsPerHour: read.integer("RATE_LIMIT_BACKUP_DESTRUCTIONS_PER_HOUR", 60, 1, most),
    backupRestoresPerHour: read.integer("RATE_LIMIT_BACKUP_RESTORES_PER_HOUR", 60, 1, most),
  };
  return read.boolean("RATE_LIMITS", byDefault) ? limits : null;
}
