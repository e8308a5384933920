/** What people have at every app that they use: an account, main factors and the keypairs of their devices. */
import { createAccountKeypair } from "../support/account-keypair.ts";
import { type CampaignConditions, MAIN_KINDS } from "../support/campaign-conditions.ts";
import { createFactorKeypair, type FactorKeypair } from "../support/factor-keypair.ts";
import type { MainFactor } from "../support/factors.ts";

export class Person {
  readonly account = createAccountKeypair();
  readonly #random: () => number;
  readonly #conditions: CampaignConditions;
  readonly #mains: MainFactor[] = [];
  readonly #devices: FactorKeypair[] = [];

  constructor(random: () => number, conditions: CampaignConditions) {
    this.#random = random;
    this.#conditions = conditions;
  }

  /** The nth main factor, the same for all apps. */
  main(nth: number): MainFactor {
    const kind = MAIN_KINDS[this.#random() % MAIN_KINDS.length] ?? "keypair";
    return nthOf(this.#mains, nth, () => this.#conditions.newMain(kind));
  }

  /** The keypair of the nth device, the same for all apps. */
  device(nth: number): FactorKeypair {
    return nthOf(this.#devices, nth, createFactorKeypair);
  }
}

function nthOf<T>(made: T[], nth: number, make: () => T): T {
  const item = made[nth] ?? make();
  made[nth] = item;
  return item;
}
