/** For how long the event loop of this process is held up, turn by turn: by one callback, or by several in a row. */
const NOTABLE_MS = 0.1;

let isWatching = false;
let turnsMs: number[] = [];
let beforeMs = 0;

/** Keeps a core busy until {@link stopWatching}. */
export function startWatching(): void {
  isWatching = true;
  turnsMs = [];
  beforeMs = performance.now();
  turn();
}

/** The turns that took more than 0.1 ms, with the one that is running. */
export function stopWatching(): number[] {
  endTurn();
  isWatching = false;
  return turnsMs;
}

function turn(): void {
  if (!isWatching) return;
  endTurn();
  setImmediate(turn);
}

function endTurn(): void {
  const nowMs = performance.now();
  if (nowMs - beforeMs > NOTABLE_MS) turnsMs.push(nowMs - beforeMs);
  beforeMs = nowMs;
}
