/** The errors of the domain. */
import { ServiceError } from "../errors.ts";
import type { Conflict } from "../storage/contract.ts";

export const alreadyUsed = () => new ServiceError("already_used", "The challenge or token was used before");
export const untraceable = () => new ServiceError("backup_untraceable", "The factor leads to no backup");
export const unauthorized = () => new ServiceError("unauthorized_factor", "The factor is not on the backup");
export const factorExists = () =>
  new ServiceError("factor_already_exists", "The factor is used by a backup already");
export const doesNotExist = () => new ServiceError("backup_does_not_exist", "There is no backup of that id");
export const notFound = () => new ServiceError("not_found", "There is no such backup");

/** Whether an error says that a factor is on no backup. */
export function isOnNoBackup(error: unknown): boolean {
  return (
    error instanceof ServiceError &&
    (error.code === "backup_untraceable" ||
      error.code === "backup_missing" ||
      error.code === "unauthorized_factor")
  );
}

/** Whether an error says that an operation was refused for another reason than that its proof or token was used. */
export function isOtherRefusal(error: unknown): boolean {
  return (
    error instanceof ServiceError && error.code !== "service_unavailable" && error.code !== "already_used"
  );
}

/** The error of a commit that changed nothing. */
export function errorOf(conflict: Conflict): ServiceError {
  switch (conflict) {
    case "consumed":
      return alreadyUsed();
    case "exists":
      return new ServiceError(
        "backup_account_id_already_exists",
        "There is a backup of this account id already",
      );
    case "factor-claimed":
      return factorExists();
    case "not-kept":
    case "revision":
      return new ServiceError(
        "conflicting_lock",
        "The backup was changed by another request at the same time",
      );
  }
}

/** An expression that throws. */
export function fail(error: ServiceError): never {
  throw error;
}
