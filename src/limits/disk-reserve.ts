import { ServiceError } from "../errors.ts";
import { atMostEvery } from "../runtime/at-most-every.ts";
import type { Clock } from "../runtime/clock.ts";

/** Keeps some of the disk free of new backups, so that the owners of those that are there can go on. */
export interface DiskReserve {
  /** @throws ServiceError `service_unavailable` when less than the reserve is free. */
  requireRoom(): Promise<void>;
  /** The same content, which fails like {@link requireRoom} as soon as the disk has become too full. */
  whileRoom(content: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}

export interface DiskReserveOptions {
  /** 0 for no reserve. */
  readonly minFreeBytes: number;
  /** `null` where there is always room. */
  readonly freeBytes: () => Promise<number | null>;
  readonly clock: Clock;
  readonly log: DiskLog;
}

/** Where it is reported that the disk has become too full, and that there is room again. */
export interface DiskLog {
  error(figures: DiskFigures, message: string): void;
  info(figures: DiskFigures, message: string): void;
}

export interface DiskFigures {
  readonly freeBytes: number;
  readonly minFreeBytes: number;
}

/** How old a measurement may be. What is written meanwhile is far less than a sensible reserve. */
const MEASURED_EVERY_MS = 200;

export function createDiskReserve({ minFreeBytes, freeBytes, clock, log }: DiskReserveOptions): DiskReserve {
  let hadRoom = true;
  const measure = atMostEvery(MEASURED_EVERY_MS, clock, async () => {
    const free = await freeBytes();
    if (free === null) return true;
    const hasRoom = free >= minFreeBytes;
    const figures = { freeBytes: free, minFreeBytes };
    if (hadRoom && !hasRoom) log.error(figures, "the disk is too full: no backup is created");
    if (hasRoom && !hadRoom) log.info(figures, "backups are created again");
    hadRoom = hasRoom;
    return hasRoom;
  });

  async function requireRoom(): Promise<void> {
    if (minFreeBytes > 0 && !(await measure()))
      throw new ServiceError("service_unavailable", "The disk is too full for new backups");
  }

  return {
    requireRoom,
    async *whileRoom(content) {
      for await (const chunk of content) {
        await requireRoom();
        yield chunk;
      }
    },
  };
}
