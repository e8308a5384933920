import { NoRoom } from "../errors.ts";
import { atMostEvery } from "../runtime/at-most-every.ts";
import type { Clock } from "../runtime/clock.ts";

/** Keeps some of the disk free of new backups, for the owners of existing ones. */
export interface DiskReserve {
  /** @throws NoRoom when less than the reserve is free. */
  requireRoom(): Promise<void>;
  /** The same content, which throws as {@link requireRoom} once the disk is too full. */
  whileRoom(content: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}

interface DiskReserveOptions {
  /** 0 for no reserve. */
  readonly minFreeBytes: number;
  /** `null` for unlimited room. */
  readonly freeBytes: () => Promise<number | null>;
  readonly clock: Clock;
  readonly log: Record<
    "error" | "info",
    (measured: Record<"freeBytes" | "minFreeBytes", number>, message: string) => void
  >;
}

/** Less is written in that time than any sensible reserve has. */
const MEASURED_EVERY_MS = 200;

export function createDiskReserve({ minFreeBytes, freeBytes, clock, log }: DiskReserveOptions): DiskReserve {
  let hadRoom = true;
  const measure = atMostEvery(MEASURED_EVERY_MS, clock, async () => {
    const free = await freeBytes();
    if (free === null) return true;
    const hasRoom = free >= minFreeBytes;
    const measured = { freeBytes: free, minFreeBytes };
    if (hadRoom && !hasRoom) log.error(measured, "the disk is too full: no backup is created");
    if (hasRoom && !hadRoom) log.info(measured, "backups are created again");
    hadRoom = hasRoom;
    return hasRoom;
  });

  async function requireRoom(): Promise<void> {
    if (minFreeBytes > 0 && !(await measure())) throw new NoRoom("The disk is too full for new backups");
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
