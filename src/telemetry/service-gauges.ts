import type { LimitsConfig } from "../config/limits.ts";
import type { Metrics } from "./metrics.ts";

interface Measured {
  readonly limits: Pick<
    LimitsConfig,
    "maxInFlightUploadBytes" | "maxInFlightAnswerBytes" | "minFreeDiskBytes"
  >;
  readonly uploadBudget: { readonly heldBytes: number };
  readonly responsesInFlight: { readonly bytes: number };
  readonly lifecycle: { readonly isEnding: boolean };
  /** `null` where the store has no disk that can be full. */
  readonly freeBytes: (() => Promise<number | null>) | null;
}

/** Measures at each scrape what limits bound, beside their bounds, so that an alert needs no number of the configuration. */
export function watchService(
  metrics: Pick<Metrics, "watch">,
  { limits, uploadBudget, responsesInFlight, lifecycle, freeBytes }: Measured,
): void {
  metrics.watch("upload_memory_bytes", () => uploadBudget.heldBytes);
  metrics.watch("upload_memory_limit_bytes", () => limits.maxInFlightUploadBytes);
  metrics.watch("answer_disk_bytes", () => responsesInFlight.bytes);
  metrics.watch("answer_disk_limit_bytes", () => limits.maxInFlightAnswerBytes);
  metrics.watch("shutting_down", () => Number(lifecycle.isEnding));
  if (freeBytes === null) return;
  metrics.watch("storage_free_bytes", freeBytes);
  metrics.watch("storage_reserve_bytes", () => limits.minFreeDiskBytes);
}
