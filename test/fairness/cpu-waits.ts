/** How long a process was ready to run, and other programs had the processors. */
import { readFileSync } from "node:fs";

/**
 * How long the main thread of a process has waited for a processor, in milliseconds since it began; 0 where the system
 * does not count it. Linux adds a wait when it ends.
 */
export function waitedForCpuMs(pid: number): number {
  if (process.platform !== "linux") return 0;
  return waitIn(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, "utf8"));
}

/** @param schedstat time on a processor and time of waiting for one, in nanoseconds, and how often it ran. */
export function waitIn(schedstat: string): number {
  return Number(schedstat.split(" ")[1]) / 1e6;
}
