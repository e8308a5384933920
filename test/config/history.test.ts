import { describe } from "bun:test";
import { reads, refuses } from "./environments.ts";

describe("the configuration of what is kept of the past", () => {
  reads([
    [
      { VERSIONS_KEEP_LAST: "0", VERSIONS_KEEP_DAYS: "0", DELETED_KEEP_DAYS: "0", EVENTS_KEEP_DAYS: "1" },
      { history: { versions: { keepLast: 0, keepDays: 0 }, deletedKeepMs: 0, eventsKeepMs: 86_400_000 } },
    ],
  ]);

  refuses([
    ["VERSIONS_KEEP_LAST", ["-1", "51", "two"]],
    ["VERSIONS_KEEP_DAYS", ["-1", "51", "1.5"]],
    ["DELETED_KEEP_DAYS", ["-1", "366"]],
    ["EVENTS_KEEP_DAYS", ["0", "3651"]],
  ]);
});
