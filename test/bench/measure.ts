/** Calls side by side, as the service sees them under load. */
export const WIDTH = 8;

/** CPU milliseconds of one call, user and system, all threads. */
export async function cpuMs(call: () => unknown, calls: number): Promise<number> {
  const before = process.cpuUsage();
  for (let round = 0; round < calls / WIDTH; round++)
    await Promise.all(Array.from({ length: WIDTH }, async () => call()));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / calls;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
