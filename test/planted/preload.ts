/** Loaded before a program: what it opens has the fault that `PLANTED_FAULT` names. */
import { plugin } from "bun";
import { isPlantedFault } from "./planted-stores.ts";

const fault = process.env.PLANTED_FAULT;
const OPENING = "export async function openStores(";
const PLANTED_OPENING = `
import { PLANTED } from ${JSON.stringify(`${import.meta.dir}/planted-stores.ts`)};
export async function openStores(...given: Parameters<typeof openSoundStores>) {
  return PLANTED[${JSON.stringify(fault)}](await openSoundStores(...given));
}`;
const SYNCING = "PRAGMA synchronous = FULL";

plugin({
  name: "planted fault",
  setup({ onLoad }) {
    if (fault === "syncs no commit") {
      onLoad({ filter: /\/src\/storage\/local\/database\.ts$/ }, ({ path }) =>
        changed(path, SYNCING, "PRAGMA synchronous = OFF"),
      );
      return;
    }
    if (!isPlantedFault(fault)) throw new Error(`there is no such fault: ${fault}`);
    onLoad({ filter: /\/src\/storage\/open\.ts$/ }, ({ path }) =>
      changed(path, OPENING, "async function openSoundStores(", PLANTED_OPENING),
    );
  },
});

/** A module with another text in one place, and more at its end. */
async function changed(path: string, from: string, to: string, more = "") {
  const source = await Bun.file(path).text();
  if (!source.includes(from)) throw new Error(`${path} has no ${from}`);
  return { contents: source.replace(from, to) + more, loader: "ts" as const };
}
