/**
 * Watches for how long the event loop of this process is held up, turn by turn: by one callback, or by several in a
 * row. It does so while the process that started this one asks for it, and keeps a core busy meanwhile.
 */
const NOTABLE_MS = 0.1;

let isWatching = false;
let turnsMs: number[] = [];
let beforeMs = 0;

function turn(): void {
  if (!isWatching) return;
  const nowMs = performance.now();
  if (nowMs - beforeMs > NOTABLE_MS) turnsMs.push(nowMs - beforeMs);
  beforeMs = nowMs;
  setImmediate(turn);
}

process.on("message", () => {
  isWatching = !isWatching;
  if (isWatching) {
    beforeMs = performance.now();
    turn();
  } else {
    process.send?.(turnsMs);
    turnsMs = [];
  }
});
