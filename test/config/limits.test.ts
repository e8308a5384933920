import { describe } from "bun:test";
import { reads, refuses } from "./environments.ts";

describe("the configuration of limits", () => {
  reads([
    [{ RATE_LIMITS: "true" }, { rateLimits: { addressChallengesPerMinute: 6_000 } }],
    ...(
      [
        ["ADDRESS_CHALLENGES_PER_MINUTE", "addressChallengesPerMinute"],
        ["ADDRESS_FAILURES_PER_MINUTE", "addressFailuresPerMinute"],
        ["ADDRESS_DESTRUCTIONS_PER_MINUTE", "addressDestructionsPerMinute"],
        ["ADDRESS_STATUS_PER_MINUTE", "addressStatusPerMinute"],
        ["ADDRESS_CREATES_PER_HOUR", "addressCreatesPerHour"],
        ["BACKUP_FAILURES_PER_HOUR", "backupFailuresPerHour"],
        ["BACKUP_DESTRUCTIONS_PER_HOUR", "backupDestructionsPerHour"],
        ["BACKUP_RESTORES_PER_HOUR", "backupRestoresPerHour"],
      ] as const
    ).map(
      ([variable, member]) =>
        [{ RATE_LIMITS: "true", [`RATE_LIMIT_${variable}`]: "7" }, { rateLimits: { [member]: 7 } }] as const,
    ),
    [
      { RATE_LIMITS: "true", RATE_LIMIT_ADDRESS_CREATED_BYTES_PER_HOUR: "15728640" },
      { rateLimits: { addressCreatedBytesPerHour: 15_728_640 } },
    ],
    [{ MAX_IN_FLIGHT_UPLOAD_BYTES: "17825792" }, { limits: { maxInFlightUploadBytes: 17_825_792 } }],
    [{ MIN_FREE_DISK_BYTES: "0" }, { limits: { minFreeDiskBytes: 0 } }],
    [{ MAX_IN_FLIGHT_ANSWER_BYTES: "268435456" }, { limits: { maxInFlightAnswerBytes: 268_435_456 } }],
    [{ MAX_BACKUP_BYTES: "1" }, { limits: { maxBackupBytes: 1 } }],
    [
      { MAX_MAIN_FACTORS: "1", MAX_SYNC_FACTORS: "25" },
      { limits: { maxMainFactors: 1, maxSyncFactors: 25 } },
    ],
  ]);

  refuses([
    ["MAX_BACKUP_BYTES", ["0", "15728641", "15MiB"]],
    ["MIN_FREE_DISK_BYTES", ["-1", "512MiB", "1099511627777"]],
    ["MAX_MAIN_FACTORS", ["0", "11"]],
    ["MAX_SYNC_FACTORS", ["0", "26"]],
    ["RATE_LIMIT_ADDRESS_CREATES_PER_HOUR", ["0", "1000001", "many"]],
    ["RATE_LIMIT_ADDRESS_CREATED_BYTES_PER_HOUR", ["0", "15728639", "1GiB"]],
  ]);
});
