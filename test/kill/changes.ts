/** The changes that a customer makes: each is prepared, so that its request can be sent again. */
import { systemClock } from "../../src/runtime/clock.ts";
import { additionIn } from "../crash/scenario.ts";
import type { ApiClient, ApiResponse } from "../support/api-client.ts";
import type { FactorKeypair } from "../support/factor-keypair.ts";
import { createPayloadOf, type MainFactor, proven, undeletionRequest } from "../support/factors.ts";
import { manifestHashOf } from "../support/invariants.ts";
import { addSyncFactorRequest, randomBytes, resetRequest, solved, syncPayload } from "../support/users.ts";
import {
  changed,
  deleted,
  type Effect,
  type Expected,
  type ExpectedState,
  KEPT_VERSIONS,
  NOTHING,
} from "./expected-backup.ts";
import type { PatientCalls } from "./patient-calls.ts";
import type { Person } from "./person.ts";

/** A prepared change: the request, and what is expected once it is acknowledged. */
export interface Change extends Effect {
  readonly name: string;
  send(client: ApiClient): Promise<ApiResponse<unknown>>;
}

const MAX_CONTENT_BYTES = 300_000;
const MAX_FACTORS = 4;

export class Changes {
  readonly #random: () => number;
  readonly #person: Person;
  readonly #calls: PatientCalls;
  #mainsUsed = 0;
  #devicesUsed = 0;

  constructor(random: () => number, person: Person, calls: PatientCalls) {
    this.#random = random;
    this.#person = person;
    this.#calls = calls;
  }

  /** One that is possible, by chance. */
  async next(client: ApiClient, { stored, kept }: Expected): Promise<Change> {
    if (stored !== null) return this.#changeOf(client, stored);
    if (kept === null) return this.#creation(client);
    switch (this.#random() % 4) {
      case 0:
        return this.#creation(client);
      case 1:
        return this.#reset(client);
      default:
        return this.#undeletion(client, kept);
    }
  }

  async #changeOf(client: ApiClient, stored: ExpectedState): Promise<Change> {
    const { mains, syncs } = stored;
    const [sync] = syncs;
    if (sync === undefined) return this.#additionOfDevice(client, stored); // they went with an undelete
    switch (this.#random() % 16) {
      case 0:
        return this.#reset(client);
      case 1:
      case 2: {
        const by = syncs.at(-1) ?? sync;
        const request = await solved(client, "delete-backup", by);
        return {
          name: "delete-backup",
          ...deleted(stored, by, "DELETED"),
          send: (to) => to.deleteBackup(request),
        };
      }
      case 3:
      case 4:
        if (syncs.length >= MAX_FACTORS) return this.#deletion(client, stored, "SYNC");
        return this.#additionOfDevice(client, stored);
      case 5:
      case 6: {
        if (mains.length >= MAX_FACTORS) return this.#deletion(client, stored, "MAIN");
        const added = this.#newMain();
        const request = await additionIn({ client, clock: systemClock }, mains[0], added);
        return {
          name: "add-factor",
          ...changed(stored, { mains: [...mains, added] }, "MAIN_FACTOR_ADDED"),
          send: (to) => to.addFactor(request),
        };
      }
      case 7:
        return this.#deletion(client, stored, "MAIN");
      case 8:
      case 9:
        if (stored.earlier.length > 0) return this.#restoration(client, stored, sync);
        return this.#update(client, stored, sync);
      case 10:
        if (syncs.length > 1) return this.#replacement(client, stored, syncs);
        return this.#update(client, stored, sync);
      case 11: {
        const request = await proven(client, "verify-factor", mains[0]);
        return { name: "verify-factor", ...changed(stored, {}), send: (to) => to.verifyFactor(request) };
      }
      default:
        return this.#update(client, stored, sync);
    }
  }

  async #creation(client: ApiClient): Promise<Change> {
    const [main, sync, content] = [this.#newMain(), this.#newDevice(), this.#newContent()];
    const user = {
      account: this.#person.account,
      main,
      sync,
      backup: content,
      manifestHash: manifestHashOf(content),
    };
    const payload = await createPayloadOf(client, user);
    const stored: ExpectedState = { content, earlier: [], mains: [main], syncs: [sync], log: ["CREATED"] };
    return {
      name: "create",
      after: { stored, kept: null }, // with other factors than what is kept
      leaves: ["CREATED"],
      send: (to) => to.create(payload, content),
    };
  }

  async #reset(client: ApiClient): Promise<Change> {
    const request = await resetRequest(client, { account: this.#person.account });
    return { name: "reset", after: NOTHING, leaves: ["RESET"], send: (to) => to.reset(request) };
  }

  async #undeletion(client: ApiClient, kept: ExpectedState): Promise<Change> {
    const request = await undeletionRequest(client, { account: this.#person.account, main: kept.mains[0] });
    return { name: "undelete", ...changed(kept, {}, "UNDELETED"), send: (to) => to.undelete(request) };
  }

  async #update(client: ApiClient, stored: ExpectedState, sync: FactorKeypair): Promise<Change> {
    const content = this.#newContent();
    const manifestHash = manifestHashOf(stored.content);
    const payload = await syncPayload(client, { sync, manifestHash }, manifestHashOf(content));
    const earlier = [stored.content, ...stored.earlier].slice(0, KEPT_VERSIONS);
    return {
      name: "sync",
      ...changed(stored, { content, earlier }),
      send: (to) => to.sync(payload, content),
    };
  }

  async #restoration(client: ApiClient, stored: ExpectedState, sync: FactorKeypair): Promise<Change> {
    const nth = this.#random() % stored.earlier.length;
    const { versions } = await this.#calls.metadata(client, sync);
    const content = stored.earlier[nth];
    const versionId = versions[nth]?.versionId ?? "";
    if (content === undefined) throw new Error("there is no such version");
    const request = {
      ...(await solved(client, "restore-version", sync, { versionId })),
      versionId,
      currentManifestHash: manifestHashOf(stored.content),
    };
    const earlier = [stored.content, ...stored.earlier.filter((other) => other !== content)];
    return {
      name: "restore-version",
      ...changed(stored, { content, earlier }, "VERSION_RESTORED"),
      send: (to) => to.restoreVersion(request),
    };
  }

  async #additionOfDevice(client: ApiClient, stored: ExpectedState): Promise<Change> {
    const device = this.#newDevice();
    const { syncFactorToken } = await this.#calls.recovered(client, stored.mains[0]);
    const request = await addSyncFactorRequest(client, device, syncFactorToken);
    return {
      name: "add-sync-factor",
      ...changed(stored, { syncs: [...stored.syncs, device] }, "SYNC_FACTOR_ADDED"),
      send: (to) => to.addSyncFactor(request),
    };
  }

  /** Puts a new device in the place of the last one. */
  async #replacement(
    client: ApiClient,
    stored: ExpectedState,
    syncs: readonly FactorKeypair[],
  ): Promise<Change> {
    const device = this.#newDevice();
    const { metadata, syncFactorToken } = await this.#calls.recovered(client, stored.mains[0]);
    const syncFactorToReplace = metadata.syncFactors.at(-1)?.id ?? "";
    const request = {
      ...(await addSyncFactorRequest(client, device, syncFactorToken)),
      syncFactorToReplace,
    };
    return {
      name: "add-sync-factor, in the place of another",
      ...changed(stored, { syncs: [...syncs.slice(0, -1), device] }, "SYNC_FACTOR_REPLACED"),
      send: (to) => to.addSyncFactor(request),
    };
  }

  /** Removes the last factor of a scope. With the last main factor the backup is deleted. */
  async #deletion(client: ApiClient, stored: ExpectedState, scope: "MAIN" | "SYNC"): Promise<Change> {
    const { mains, syncs } = stored;
    const [by] = syncs;
    if (by === undefined) throw new Error("no device can remove a factor");
    const metadata = await this.#calls.metadata(client, by);
    const factorId = (scope === "MAIN" ? metadata.factors : metadata.syncFactors).at(-1)?.id ?? "";
    const request = { ...(await solved(client, "delete-factor", by, { factorId })), factorId, scope };
    const send: Change["send"] = (to) => to.deleteFactor(request);
    const name = `delete-factor ${scope}`;
    if (scope === "SYNC")
      return { name, ...changed(stored, { syncs: syncs.slice(0, -1) }, "SYNC_FACTOR_REMOVED"), send };
    const [first, ...others] = mains;
    if (others.length > 0)
      return {
        name,
        ...changed(stored, { mains: [first, ...others.slice(0, -1)] }, "MAIN_FACTOR_REMOVED"),
        send,
      };
    return { name, ...deleted(stored, by, "MAIN_FACTOR_REMOVED", "DELETED"), send };
  }

  #newMain(): MainFactor {
    return this.#person.main(this.#mainsUsed++);
  }

  #newDevice(): FactorKeypair {
    return this.#person.device(this.#devicesUsed++);
  }

  #newContent(): Uint8Array {
    return randomBytes(1 + (this.#random() % MAX_CONTENT_BYTES));
  }
}
