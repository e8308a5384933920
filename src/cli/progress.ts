const SHOWN_EVERY_MS = 250;
const CLEAR_LINE = "\r\u001b[K";

/** Shows `text` in a line that is overwritten, until the result is disposed of. Only where stderr is a terminal. */
export function showProgress(text: () => string): Disposable {
  if (!process.stderr.isTTY) return { [Symbol.dispose]() {} };
  const timer = setInterval(() => process.stderr.write(CLEAR_LINE + text()), SHOWN_EVERY_MS);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      process.stderr.write(CLEAR_LINE);
    },
  };
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
