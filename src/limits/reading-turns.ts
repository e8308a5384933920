/**
 * Bounds how many large bodies are read at a time. Bytes that were read are in memory until they are passed on, and then
 * until the engine collects them, which it does the later the more there are. So bodies that arrive faster than they can
 * be passed on are read a few at a time, in turns of one chunk; meanwhile the rest waits with the clients. A body that
 * arrives little by little is read as it comes.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Chunks, chunksOf } from "../runtime/chunks.ts";

/** Turns of the event loop after which bytes that have reached this machine can be read. */
const ARRIVAL_TURNS = 2;

/** Chunks that are read in turns. */
export interface InTurns extends Chunks {
  /** Ends the turn although what was read last is not passed on yet. */
  giveBack(): void;
}

export class ReadingTurns {
  readonly #waiting: (() => void)[] = [];
  readonly #maxTurnMs: number;
  #free: number;

  /**
   * @param count how many may read at a time.
   * @param maxTurnMs how long one may take to pass on what it has read before another one may read too.
   */
  constructor(count: number, maxTurnMs: number) {
    this.#free = count;
    this.#maxTurnMs = maxTurnMs;
  }

  /** The same chunks, each read when there is a turn for it. A body keeps no turn while nothing arrives. */
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
      else next(); // which takes over the turn
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
