import { describe } from "bun:test";
import { reads, refuses } from "./environments.ts";

describe("the configuration of what is kept of the past", () => {
  reads([
    [
      { VERSIONS_KEEP_LAST: "0", VERSIONS_KEEP_DAYS: "0" },
      { history: { versions: { keepLast: 0, keepDays: 0 } } },
    ],
  ]);

  refuses([
    ["VERSIONS_KEEP_LAST", ["-1", "51", "two"]],
    ["VERSIONS_KEEP_DAYS", ["-1", "51", "1.5"]],
  ]);
});
