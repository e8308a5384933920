/** One thing that goes wrong between the service and its stores, at one call. */
import { StorageUnavailable } from "../../src/storage/contract.ts";
import type { Interceptor, StoreCall } from "../support/intercepted-stores.ts";

/** What may happen at a call. After a stop the process is dead: whatever it calls later fails, and it answers nobody. */
export const FAULTS = [
  "stops before",
  "stops after",
  "is unavailable",
  "loses its answer",
  "is delayed",
] as const;
export type FaultKind = (typeof FAULTS)[number];

/** How many turns of the event loop a delayed call waits, so that the calls beside it come first. */
const DELAY_TURNS = 50;

export class Fault {
  readonly #kind: FaultKind;
  readonly #at: number;
  readonly #delay: () => Promise<void>;
  #calls = 0;
  #dead = false;
  #hit: StoreCall | null = null;

  /**
   * @param at the number of the call, from 1.
   * @param delay what a delayed call waits for.
   */
  constructor(kind: FaultKind, at: number, delay: () => Promise<void> = someTurns) {
    this.#kind = kind;
    this.#at = at;
    this.#delay = delay;
  }

  /** The call that it happened at; `null` as long as there were fewer calls. */
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
      case "loses its answer":
        await run();
        throw new StorageUnavailable("the test has lost the answer to this call");
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

async function someTurns(): Promise<void> {
  for (let turn = 0; turn < DELAY_TURNS; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
