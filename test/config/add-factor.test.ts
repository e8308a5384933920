import { describe } from "bun:test";
import { reads, refuses } from "./environments.ts";

describe("the configuration of additions", () => {
  reads([
    [{ ADD_FACTOR_EXISTING_OIDC: "false" }, { addFactor: { existingOidc: false, binding: "optional" } }],
    [{ ADD_FACTOR_BINDING: "required" }, { addFactor: { existingOidc: true, binding: "required" } }],
  ]);

  refuses([
    ["ADD_FACTOR_EXISTING_OIDC", ["no", "0"]],
    ["ADD_FACTOR_BINDING", ["off", "true", "Required"]],
  ]);
});
