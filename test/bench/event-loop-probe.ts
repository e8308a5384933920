/** Measures the iterations of this process's event loop between two messages of its parent process. */
import { startWatching, stopWatching } from "./event-loop-iterations.ts";

let isWatching = false;

process.on("message", () => {
  isWatching = !isWatching;
  if (isWatching) startWatching();
  else process.send?.(stopWatching());
});
