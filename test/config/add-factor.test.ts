import { describe } from "bun:test";
import { reads, refuses } from "./environments.ts";

describe("the configuration of additions", () => {
  reads([[{ ADD_FACTOR_EXISTING_OIDC: "false" }, { addFactor: { existingOidc: false } }]]);

  refuses([["ADD_FACTOR_EXISTING_OIDC", ["no", "0"]]]);
});
