import { ServiceError } from "../errors.ts";

/** @param problem completes "The body is not a whole multipart/form-data: …". */
export function malformed(problem: string): ServiceError {
  return new ServiceError("multipart_error", `The body is not a whole multipart/form-data: ${problem}`);
}
