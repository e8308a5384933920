/** Honest clients: people who create, recover and update a backup at their own pace, each from an address of its own. */

import { createApiClient } from "../support/api-client.ts";
import { manifestHashOf } from "../support/invariants.ts";
import { newUser, randomBytes, recovered, syncPayload, userWithBackup } from "../support/users.ts";

/** What became of the actions of a phase. */
export interface Actions {
  /** Of those that succeeded, without the time in which the service was ready to run and had no processor. */
  readonly latenciesMs: number[];
  /** The same, with that time. */
  readonly elapsedMs: number[];
  /** One line for each action that failed. */
  readonly failures: string[];
}

export interface CrowdOptions {
  readonly url: string;
  /** How many use the service at a time. */
  readonly people: number;
  /** The mean pause of a person between two actions. */
  readonly pauseMs: number;
  /** How long the service has waited for a processor so far. */
  readonly waitedForCpuMs: () => number;
}

const SMALL_BYTES = 4 * 1024;
/** One in so many backups is large, so that its recovery is a file and needs a permit. */
const LARGE_EVERY = 5;
const LARGE_BYTES = 512 * 1024;

export class Crowd {
  readonly #options: CrowdOptions;
  #persons = 0;

  constructor(options: CrowdOptions) {
    this.#options = options;
  }

  /** Lets people begin actions for so long; resolves when the last one has ended. */
  async liveFor(ms: number): Promise<Actions> {
    const actions: Actions = { latenciesMs: [], elapsedMs: [], failures: [] };
    const endsAtMs = performance.now() + ms;
    await Promise.all(
      Array.from({ length: this.#options.people }, async () => {
        while (performance.now() < endsAtMs) await this.#liveOnce(actions, endsAtMs);
      }),
    );
    return actions;
  }

  /** One person, until an action fails or the time is over. */
  async #liveOnce(actions: Actions, endsAtMs: number): Promise<void> {
    const person = this.#persons++;
    const backup = randomBytes(person % LARGE_EVERY === 0 ? LARGE_BYTES : SMALL_BYTES);
    const user = { ...newUser(backup), manifestHash: manifestHashOf(backup) };
    const headers = { "x-forwarded-for": addressOf(person), connection: "close" }; // as a phone that is far apart
    const client = createApiClient({ url: this.#options.url, headers });
    const next = randomBytes(backup.length);
    const steps: Readonly<Record<string, () => Promise<unknown>>> = {
      create: () => userWithBackup(client, user),
      recover: async () => {
        const { backup: content } = await recovered(client, user);
        if (content !== Buffer.from(backup).toString("base64"))
          throw new Error("another content was recovered");
      },
      sync: async () => (await client.sync(await syncPayload(client, user, manifestHashOf(next)), next)).ok(),
    };
    for (const [name, act] of Object.entries(steps)) {
      const pauseMs = Math.random() * 2 * this.#options.pauseMs;
      if (performance.now() + pauseMs >= endsAtMs)
        return await Bun.sleep(Math.max(0, endsAtMs - performance.now()));
      await Bun.sleep(pauseMs);
      const startedMs = performance.now();
      const waitedMs = this.#options.waitedForCpuMs();
      try {
        await act();
      } catch (error) {
        actions.failures.push(`${name}: ${error}`);
        return;
      }
      const elapsedMs = performance.now() - startedMs;
      actions.elapsedMs.push(elapsedMs);
      // a wait that had begun before the action is in the difference too
      actions.latenciesMs.push(Math.max(0, elapsedMs - (this.#options.waitedForCpuMs() - waitedMs)));
    }
  }
}

function addressOf(person: number): string {
  return `10.${(person >> 16) & 255}.${(person >> 8) & 255}.${person & 255}`;
}
