/** Watches the turns of this process's event loop while the process that started this one asks for it. */
import { startWatching, stopWatching } from "./turns.ts";

let isWatching = false;

process.on("message", () => {
  isWatching = !isWatching;
  if (isWatching) startWatching();
  else process.send?.(stopWatching());
});
