/** How long each iteration of this process's event loop takes. */
const NOTABLE_MS = 0.1;

let isWatching = false;
let iterationsMs: number[] = [];
let beforeMs = 0;

/** Keeps a core busy until {@link stopWatching}. */
export function startWatching(): void {
  isWatching = true;
  iterationsMs = [];
  beforeMs = performance.now();
  iterate();
}

/** The iterations that took more than 0.1 ms, including the current one. */
export function stopWatching(): number[] {
  endIteration();
  isWatching = false;
  return iterationsMs;
}

function iterate(): void {
  if (!isWatching) return;
  endIteration();
  setImmediate(iterate);
}

function endIteration(): void {
  const nowMs = performance.now();
  if (nowMs - beforeMs > NOTABLE_MS) iterationsMs.push(nowMs - beforeMs);
  beforeMs = nowMs;
}
