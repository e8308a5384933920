import type { EnvironmentReader } from "./environment.ts";

/** How main factors may be added. */
export interface AddFactorConfig {
  /** Whether a Google or Apple account may authorise an addition. */
  readonly existingOidc: boolean;
}

export function addFactorConfig(read: EnvironmentReader): AddFactorConfig {
  return { existingOidc: read.boolean("ADD_FACTOR_EXISTING_OIDC", true) };
}
