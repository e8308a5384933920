/** Peak memory of the service while many large transfers are in flight. The transfers are driven by `load.ts`. */
import { readFile } from "node:fs/promises";
import type { Driver } from "../drivers.ts";
import type { LoadOperation, LoadResult } from "./load.ts";
import { runLoad, startBenchService } from "./service.ts";

export interface TransferFigures {
  readonly operation: LoadOperation;
  readonly inFlight: number;
  readonly mibPerSecond: number;
  readonly peakRssMib: number;
  readonly failures: LoadResult["failures"];
}

const MIB = 1024 * 1024;
const BACKUP_BYTES = 15 * MIB;

/** Each figure is taken from a service of its own, so that one peak does not hide another. */
export async function measureTransfers(
  driver: Driver,
  widths: readonly number[],
): Promise<TransferFigures[]> {
  const figures: TransferFigures[] = [];
  for (const operation of ["create", "retrieve", "transfers"] as const)
    for (const inFlight of widths) {
      await using service = await startBenchService({ driver });
      const result = await runLoad({
        url: service.url,
        operation,
        count: inFlight,
        concurrency: inFlight,
        bytes: BACKUP_BYTES,
      });
      figures.push({
        operation,
        inFlight,
        mibPerSecond: (result.perSecond * BACKUP_BYTES) / MIB,
        peakRssMib: await peakRssMib(service.pid),
        failures: result.failures,
      });
    }
  return figures;
}

/** The high-water mark that the kernel keeps (proc(5), VmHWM). */
async function peakRssMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}
