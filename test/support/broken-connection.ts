/** The codes of Bun's `fetch` where the other process has ended: before, while or after the request was written. */
const CODES = /^(ConnectionRefused|ConnectionClosed|FailedToOpenSocket|WriteFailed|ECONN[A-Z]+|EPIPE)$/;

/** Whether `fetch` failed because the process that it asked has ended. Every other error is a finding. */
export function isBrokenConnection(error: unknown): boolean {
  return error instanceof Error && "code" in error && CODES.test(String(error.code));
}
