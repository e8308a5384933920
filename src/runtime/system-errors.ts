/** The code of a system error, such as `ENOENT`; `null` for any other error. */
export function errorCode(error: unknown): string | null {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
}

/** The result of a file operation; `null` if the file does not exist. */
export async function orNullIfMissing<T>(result: Promise<T>): Promise<T | null> {
  try {
    return await result;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw error;
  }
}
