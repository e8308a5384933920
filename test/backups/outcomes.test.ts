import { expect, test } from "bun:test";
import { isOnNoBackup, unauthorized, untraceable } from "../../src/backups/outcomes.ts";
import { ServiceError } from "../../src/errors.ts";

test.each([
  ["a factor that leads nowhere", untraceable(), true],
  ["a factor whose backup is gone", new ServiceError("backup_missing", "gone"), true],
  ["a factor that the backup does not list", unauthorized(), true],
  ["another error of the service", new ServiceError("already_used", "used"), false],
  ["a fault with such a code", Object.assign(new Error("a bug"), { code: "backup_missing" }), false],
])("whether a factor is on no backup, for %s", (_name, error, isOne) => {
  expect(isOnNoBackup(error)).toBe(isOne);
});
