const SHOWN_EVERY_MS = 250;
const LINE_EVERY_MS = 10_000;
const CLEAR_LINE = "\r\u001b[K";

/**
 * Shows `text` until the result is disposed of: in a line that is overwritten, where stderr is a terminal.
 *
 * @param always whether to write lines where it is none.
 */
export function showProgress(text: () => string, always = false): Disposable {
  if (!process.stderr.isTTY) return always ? writeLines(text) : { [Symbol.dispose]() {} };
  const timer = setInterval(() => process.stderr.write(CLEAR_LINE + text()), SHOWN_EVERY_MS);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      process.stderr.write(CLEAR_LINE);
    },
  };
}

function writeLines(text: () => string): Disposable {
  const timer = setInterval(() => process.stderr.write(`${text()}\n`), LINE_EVERY_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
