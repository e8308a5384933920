/** What a service occupies, and whether it has released what requests took. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A running service, and the folder of its temporary files. */
export interface Observed {
  readonly pid: number;
  readonly metricsUrl: string;
  readonly temporaryFolder: string;
}

export interface Resources {
  readonly rssMiB: number;
  /** Open files and connections; 0 where the system does not list them. */
  readonly descriptors: number;
  readonly temporaryFiles: number;
  /** Memory of request bodies. */
  readonly uploadBytes: number;
  /** Disk that is reserved for responses. */
  readonly answerBytes: number;
  readonly requestsInFlight: number;
}

const MIB = 1024 * 1024;
const SETTLED_AFTER_MS = 45_000;
const CHECKED_EVERY_MS = 200;
/** The store client and the SQLite library keep some files open. */
const MORE_DESCRIPTORS = { local: 8, aws: 80 };
/** The engine returns memory to the system late, and not all of it. */
const MORE_RSS_MIB = 256;

/** For the temporary files of one service alone. */
export async function temporaryFolderOfService() {
  const path = await mkdtemp(join(tmpdir(), "backup-service-fairness-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export async function resourcesOf({ pid, metricsUrl, temporaryFolder }: Observed): Promise<Resources> {
  const text = await (await fetch(metricsUrl)).text();
  const gauge = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
  return {
    rssMiB: gauge("process_resident_memory_bytes") / MIB,
    descriptors: process.platform === "linux" ? (await readdir(`/proc/${pid}/fd`)).length : 0,
    temporaryFiles: (await readdir(temporaryFolder)).length,
    uploadBytes: gauge("upload_memory_bytes"),
    answerBytes: gauge("answer_disk_bytes"),
    requestsInFlight: gauge("http_requests_in_flight"),
  };
}

/** Samples until it is disposed of. */
export function watchPeak(service: Observed, everyMs = 500): { readonly peakMiB: number } & AsyncDisposable {
  let peakMiB = 0;
  let isOver = false;
  const sampling = (async () => {
    for (; !isOver; await Bun.sleep(everyMs))
      peakMiB = Math.max(peakMiB, (await resourcesOf(service)).rssMiB);
  })();
  return {
    get peakMiB() {
      return peakMiB;
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      await sampling;
    },
  };
}

/**
 * Waits until everything that requests took is released.
 *
 * @param idle what the service occupied before.
 * @returns what it occupies, and what has not come back in time.
 */
export async function settled(
  service: Observed,
  idle: Resources,
  driver: keyof typeof MORE_DESCRIPTORS,
  timeoutMs = SETTLED_AFTER_MS,
): Promise<{ readonly resources: Resources; readonly kept: readonly string[] }> {
  const most: Resources = {
    rssMiB: idle.rssMiB + MORE_RSS_MIB,
    descriptors: idle.descriptors + MORE_DESCRIPTORS[driver],
    temporaryFiles: idle.temporaryFiles,
    uploadBytes: 0,
    answerBytes: 0,
    requestsInFlight: 0,
  };
  for (const endsAtMs = performance.now() + timeoutMs; ; await Bun.sleep(CHECKED_EVERY_MS)) {
    const resources = await resourcesOf(service);
    const kept = Object.entries(most).flatMap(([name, bound]) => {
      const value = Object.entries(resources).find(([other]) => other === name)?.[1] ?? Number.NaN;
      return value <= bound ? [] : [`${name} is ${Math.round(value)}, at most ${Math.round(bound)} before`];
    });
    if (kept.length === 0 || performance.now() > endsAtMs) return { resources, kept };
  }
}
