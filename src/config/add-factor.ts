import type { EnvironmentReader } from "./environment.ts";

/** How main factors may be added. */
export interface AddFactorConfig {
  /** Whether a Google or Apple account may authorise an addition. */
  readonly existingOidc: boolean;
  /** Whether what the existing factor signs must include a digest of what is added. */
  readonly binding: "optional" | "required";
}

export function addFactorConfig(read: EnvironmentReader): AddFactorConfig {
  return {
    existingOidc: read.boolean("ADD_FACTOR_EXISTING_OIDC", true),
    binding: read.oneOf("ADD_FACTOR_BINDING", ["optional", "required"], "optional"),
  };
}
