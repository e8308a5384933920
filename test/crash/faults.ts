/** A fault at one call of the service to its stores. */
import { StorageUnavailable } from "../../src/storage/contract.ts";
import type { Interceptor, StoreCall } from "../support/intercepted-stores.ts";

/** The kinds of faults. After a stop the process is dead: its later calls fail, and it sends no response. */
export const FAULTS = [
  "stops before",
  "stops after",
  "is unavailable",
  "loses its response",
  "is delayed",
] as const;
export type FaultKind = (typeof FAULTS)[number];

/** How many event loop iterations a delayed call waits, so that concurrent calls come first. */
const DELAY_ITERATIONS = 50;

export class Fault {
  readonly #kind: FaultKind;
  readonly #at: number;
  readonly #delay: () => Promise<void>;
  #calls = 0;
  #dead = false;
  #hit: StoreCall | null = null;

  /**
   * @param at the number of the call, from 1.
   * @param delay awaited before a delayed call.
   */
  constructor(kind: FaultKind, at: number, delay: () => Promise<void> = someIterations) {
    this.#kind = kind;
    this.#at = at;
    this.#delay = delay;
  }

  /** The call that had the fault; `null` as long as there were fewer calls. */
  get hit(): StoreCall | null {
    return this.#hit;
  }

  readonly around: Interceptor = async (call, run) => {
    this.#requireAlive();
    if (++this.#calls !== this.#at) {
      const result = await run();
      this.#requireAlive();
      return result;
    }
    this.#hit = call;
    switch (this.#kind) {
      case "stops before":
        this.#dead = true;
        throw dead();
      case "stops after":
        await run();
        this.#dead = true;
        throw dead();
      case "is unavailable":
        throw new StorageUnavailable("the test refuses this call");
      case "loses its response":
        await run();
        throw new StorageUnavailable("the test drops the response to this call");
      case "is delayed":
        await this.#delay();
        return run();
    }
  };

  #requireAlive(): void {
    if (this.#dead) throw dead();
  }
}

function dead(): StorageUnavailable {
  return new StorageUnavailable("the process is dead");
}

async function someIterations(): Promise<void> {
  for (let count = 0; count < DELAY_ITERATIONS; count++)
    await new Promise<void>((resolve) => setImmediate(resolve));
}
