/** Calls that are repeated while a store or another request is in their way. */
import type { ApiClient, ApiResponse } from "../support/api-client.ts";
import type { FactorKeypair } from "../support/factor-keypair.ts";
import { type MainFactor, proven } from "../support/factors.ts";
import { solved } from "../support/users.ts";

export class PatientCalls {
  readonly maxRepeats: number;
  #recoveriesSent = 0;
  #recoveriesAcknowledged = 0;

  /** @param maxRepeats how often a request is repeated at most. */
  constructor(maxRepeats: number) {
    this.maxRepeats = maxRepeats;
  }

  /** How many recoveries there were at least, and at most. */
  get recoveries(): { readonly acknowledged: number; readonly sent: number } {
    return { acknowledged: this.#recoveriesAcknowledged, sent: this.#recoveriesSent };
  }

  /** Sends until nothing is in the way any more, or as often as it may. */
  async repeated<T>(send: () => Promise<ApiResponse<T>>): Promise<ApiResponse<T>> {
    let response = await send();
    for (let left = this.maxRepeats; left > 0 && isInTheWay(response); left--) response = await send();
    return response;
  }

  async recovered(client: ApiClient, main: MainFactor, versionId: string | null = null) {
    const response = await this.repeated(async () => {
      const request = { ...(await proven(client, "retrieve", main)), versionId };
      this.#recoveriesSent++;
      return client.retrieve(request);
    });
    const recovered = response.ok();
    this.#recoveriesAcknowledged++;
    return recovered;
  }

  async metadata(client: ApiClient, sync: FactorKeypair) {
    const response = await this.repeated(async () =>
      client.retrieveMetadata(await solved(client, "retrieve-metadata", sync)),
    );
    return response.ok();
  }

  /** The kinds of the newest events, the oldest of them first, but for recoveries. */
  async log(client: ApiClient, sync: FactorKeypair): Promise<readonly string[]> {
    const response = await this.repeated(async () =>
      client.listEvents({ ...(await solved(client, "events", sync)), limit: 100 }),
    );
    return response
      .ok()
      .events.map(({ kind }) => kind)
      .filter((kind) => kind !== "RECOVERED")
      .toReversed();
  }
}

/** Whether a store is out of reach, or another request changes the same backup. */
export function isInTheWay(response: ApiResponse<unknown>): boolean {
  return response.status === 503 || response.status === 423;
}
