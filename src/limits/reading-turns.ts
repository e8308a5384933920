/**
 * Who may read from a large body. What has been read is in memory until it is passed on, and what was passed on until
 * the engine collects it, the later the more there is. So what has arrived faster than it can be passed on is read by a
 * few at a time, in turns of one chunk, and waits with the clients until then. Whose client sends little at a time reads
 * it as it comes.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Chunks, chunksOf } from "../chunks.ts";

/** Turns of the event loop within which shows up what has reached this machine. */
const ARRIVAL_TURNS = 2;

/** Chunks that are read in turns. */
export interface InTurns extends Chunks {
  /** Lets others read while what was read last is not passed on yet. */
  giveBack(): void;
}

export class ReadingTurns {
  readonly #waiting: (() => void)[] = [];
  readonly #maxTurnMs: number;
  #free: number;

  /**
   * @param count how many may read at a time.
   * @param maxTurnMs how long one may take to pass on what it has read before somebody else may read too.
   */
  constructor(count: number, maxTurnMs: number) {
    this.#free = count;
    this.#maxTurnMs = maxTurnMs;
  }

  /** The same chunks, each read when there is a turn for it. Nobody keeps a turn while nothing arrives. */
  take(chunks: Chunks): InTurns {
    let endTurn = () => {};
    const taken = chunksOf(
      async () => {
        endTurn();
        endTurn = await this.#turn();
        const reading = chunks.next();
        if (!(await arrivesSoon(reading))) endTurn();
        return (await reading).value ?? null;
      },
      async () => {
        endTurn();
        await chunks.return();
      },
    );
    return Object.assign(taken, { giveBack: () => endTurn() });
  }

  /** Resolves when there is a turn, to what ends it. */
  async #turn(): Promise<() => void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    let isOver = false;
    const end = () => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next(); // the turn goes from hand to hand
    };
    const timer = setTimeout(end, this.#maxTurnMs);
    return end;
  }
}

async function arrivesSoon(reading: Promise<unknown>): Promise<boolean> {
  let hasArrived = false;
  const arrive = () => {
    hasArrived = true;
  };
  reading.then(arrive, arrive);
  for (let turn = 0; turn < ARRIVAL_TURNS && !hasArrived; turn++) await nextTurn();
  return hasArrived;
}
