import { ServiceError } from "../../src/errors.ts";

/** The error that a call ends with; fails the test when it succeeds or ends with anything but a {@link ServiceError}. */
export async function errorOf(act: () => unknown): Promise<ServiceError> {
  try {
    await act();
  } catch (error) {
    if (error instanceof ServiceError) return error;
    throw error;
  }
  throw new Error("expected a ServiceError, but the call succeeded");
}

/** The code of {@link errorOf}. */
export async function codeOf(act: () => unknown): Promise<string> {
  return (await errorOf(act)).code;
}
