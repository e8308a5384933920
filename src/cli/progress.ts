/** How far an operator command has come, in one line that is written over, where somebody watches. */

const SHOWN_EVERY_MS = 200;
const CLEAR_LINE = "\r\u001b[K";

export interface ProgressLine {
  /** Shows `text` unless another was shown just now. */
  show(text: () => string): void;
  /** Takes the line away. */
  end(): void;
}

export function createProgressLine(): ProgressLine {
  if (!process.stderr.isTTY) return { show: () => {}, end: () => {} };
  let nextMs = 0;
  return {
    show(text) {
      if (performance.now() < nextMs) return;
      nextMs = performance.now() + SHOWN_EVERY_MS;
      process.stderr.write(CLEAR_LINE + text());
    },
    end: () => void process.stderr.write(CLEAR_LINE),
  };
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
