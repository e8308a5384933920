/** A slower transfer times out. */
const MIN_BYTES_PER_SECOND = 1024 * 1024;

/** How long the slowest accepted transfer takes. */
export function transferMs(bytes: number): number {
  return (bytes / MIN_BYTES_PER_SECOND) * 1000;
}
