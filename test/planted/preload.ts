/** Loaded before a program: what it opens has the fault that `PLANTED_FAULT` names. */
import { plugin } from "bun";
import { changedModule, withWrappedStores } from "../support/changed-module.ts";
import { isPlantedFault } from "./planted-stores.ts";

const fault = process.env.PLANTED_FAULT;
const SYNCING = "PRAGMA synchronous = FULL";

plugin({
  name: "planted fault",
  setup({ onLoad }) {
    if (fault === "syncs no commit") {
      onLoad({ filter: /\/src\/storage\/local\/database\.ts$/ }, ({ path }) =>
        changedModule(path, SYNCING, "PRAGMA synchronous = OFF"),
      );
      return;
    }
    if (!isPlantedFault(fault)) throw new Error(`there is no such fault: ${fault}`);
    onLoad({ filter: /\/src\/storage\/open\.ts$/ }, ({ path }) =>
      withWrappedStores(path, {
        from: `${import.meta.dir}/planted-stores.ts`,
        wrapper: `PLANTED[${JSON.stringify(fault)}]`,
      }),
    );
  },
});
