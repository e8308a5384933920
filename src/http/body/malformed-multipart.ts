import { ServiceError } from "../../errors.ts";

/** @param problem what is wrong with the body, to stand behind what it should be. */
export function malformed(problem: string): ServiceError {
  return new ServiceError(
    "multipart_error",
    `The body must be multipart/form-data with the parts payload and backup: ${problem}`,
  );
}
