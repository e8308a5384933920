/** Loaded before a service: its stores fail now and then, see faulty-stores.ts. */
import { plugin } from "bun";
import { withWrappedStores } from "../support/changed-module.ts";

plugin({
  name: "store faults",
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/storage\/open\.ts$/ }, ({ path }) =>
      withWrappedStores(path, { from: `${import.meta.dir}/faulty-stores.ts`, wrapper: "withFaults" }),
    );
  },
});
