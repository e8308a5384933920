/** An owner of one backup for a long time, whose network breaks off now and then. */
import { Value } from "@sinclair/typebox/value";
import type { Exchange } from "../../src/client/exchange.ts";
import { ErrorBody } from "../../src/protocol/error-body.ts";
import { paths } from "../../src/protocol/paths.ts";
import { type ApiClient, createApiClient } from "../support/api-client.ts";
import { manifestHashOf } from "../support/invariants.ts";
import { multipartBody, multipartType, part } from "../support/multipart-body.ts";
import { head, openConnection } from "../support/raw-http.ts";
import {
  addSyncFactorRequest,
  metadataOf,
  newUser,
  randomBytes,
  recovered,
  resetRequest,
  solved,
  syncPayload,
  type User,
  userWithBackup,
} from "../support/users.ts";

const MAX_NOTES = 60;

export class Owner {
  readonly #url: string;
  readonly #address: string;
  readonly #client: ApiClient;
  readonly #random: () => number;
  #user: User;
  /** Hashes of the contents that may be current: the last that was acknowledged, and those that were sent since. */
  #possible: Set<string>;
  /** Removals since the last change that has put them right or excludes them: one without a response may still be made. */
  readonly #removals = new Set<"deletion" | "reset">();
  /** The last responses, for the message of a loss. */
  readonly #notes: string[] = [];

  constructor(options: {
    readonly url: string;
    readonly address: string;
    readonly bytes: number;
    readonly random: () => number;
  }) {
    this.#url = options.url;
    this.#address = options.address;
    this.#random = options.random;
    const headers = { "x-forwarded-for": options.address, connection: "close" };
    const onExchange = ({ path, status, response }: Exchange) =>
      this.#note(`${path} ${status} ${Value.Check(ErrorBody, response) ? response.error.code : ""}`);
    this.#client = createApiClient({ url: options.url, headers, onExchange });
    this.#user = userOf(newUser(randomBytes(options.bytes)), randomBytes(options.bytes));
    this.#possible = new Set([this.#user.manifestHash]);
  }

  async create(): Promise<void> {
    await userWithBackup(this.#client, this.#user);
  }

  /** @throws what the client throws where a request failed. */
  async act(): Promise<void> {
    try {
      await this.#actOnce();
    } catch (error) {
      this.#note(String(error));
      throw error;
    }
  }

  async #actOnce(): Promise<void> {
    await this.putRight();
    const chance = this.#random() % 100;
    if (chance < 40) await this.#sync();
    else if (chance < 64) await this.check();
    else if (chance < 74) await metadataOf(this.#client, this.#user);
    else if (chance < 83) await this.#vanishWhileUploading();
    else if (chance < 92) await this.#vanishWhileRecovering();
    else if (chance < 97) await this.#deleteAndBringBack();
    else await this.#resetAndCreate();
  }

  /** After a removal: has the backup again, and the device on it. @throws an error if a deleted backup is lost. */
  async putRight(): Promise<void> {
    if (this.#removals.size === 0) return;
    const { backupAccountId: backupId } = this.#user.account;
    const status = await this.#client.backupStatus({ backupId });
    if (status.status === 404) await this.#haveAgain(backupId);
    else status.ok();
    const metadata = await this.#client.retrieveMetadata(
      await solved(this.#client, "retrieve-metadata", this.#user.sync),
    );
    if (metadata.status !== 400) return void metadata.ok();
    // the device that deletes a backup is not on it any more
    const { syncFactorToken } = await recovered(this.#client, this.#user);
    const request = await addSyncFactorRequest(this.#client, this.#user.sync, syncFactorToken);
    (await this.#client.addSyncFactor(request)).ok();
    this.#removals.clear();
  }

  /** Recovers the backup. @throws an error if the content is none that this owner may have. */
  async check(): Promise<void> {
    const { backup } = await recovered(this.#client, this.#user);
    const hash = manifestHashOf(Buffer.from(backup, "base64"));
    if (!this.#possible.has(hash)) throw this.#lost("the content is another one");
  }

  async #sync(): Promise<void> {
    const next = userOf(this.#user, randomBytes(this.#user.backup.length));
    // what became of an earlier update may be unknown
    const { manifestHash } =
      this.#possible.size === 1 ? this.#user : await metadataOf(this.#client, this.#user);
    this.#possible.add(next.manifestHash);
    const payload = await syncPayload(this.#client, { ...this.#user, manifestHash }, next.manifestHash);
    (await this.#client.sync(payload, next.backup)).ok();
    this.#user = next;
    this.#possible = new Set([next.manifestHash]);
    this.#removals.clear();
  }

  async #deleteAndBringBack(): Promise<void> {
    this.#removals.add("deletion");
    (await this.#client.deleteBackup(await solved(this.#client, "delete-backup", this.#user.sync))).ok();
    // a device that has deleted a backup just before gets the same response where a reset was made instead
    await this.putRight();
  }

  async #resetAndCreate(): Promise<void> {
    this.#removals.add("reset");
    (await this.#client.reset(await resetRequest(this.#client, this.#user))).ok();
    this.#removals.delete("deletion");
    await this.putRight();
  }

  async #haveAgain(backupId: string): Promise<void> {
    if (!this.#removals.has("deletion")) return this.#createAgain();
    const proof = await solved(this.#client, "undelete", this.#user.main, { backupId });
    const undeleted = await this.#client.undelete({ ...proof, backupId });
    if (undeleted.status === 400 && undeleted.code() === "backup_does_not_exist") {
      if (this.#removals.has("reset")) return this.#createAgain();
      // an earlier undelete, which had no response, may have been made since
      const { status } = await this.#client.backupStatus({ backupId });
      if (status === 404) throw this.#lost("the deleted backup");
    } else undeleted.ok();
    this.#removals.delete("reset"); // of the backup as it was; the device is still missing
  }

  async #createAgain(): Promise<void> {
    await userWithBackup(this.#client, this.#user);
    this.#possible = new Set([this.#user.manifestHash]);
    this.#removals.clear();
  }

  #note(line: string): void {
    this.#notes.push(`${new Date().toISOString()} ${line}`);
    if (this.#notes.length > MAX_NOTES) this.#notes.shift();
  }

  #lost(what: string): Error {
    return new Error(`LOST: ${what}, of ${this.#address}, to whom this came:\n${this.#notes.join("\n")}`);
  }

  async #vanishWhileUploading(): Promise<void> {
    const payload = await syncPayload(this.#client, this.#user);
    const parts = [part("payload", JSON.stringify(payload)), part("backup", this.#user.backup)];
    const body = multipartBody(parts);
    await this.#vanish(
      head("POST", paths.sync, {
        "x-forwarded-for": this.#address,
        "content-type": multipartType(),
        "content-length": body.length,
      }),
      body.subarray(0, body.length - 1 - (this.#random() % 2_000)),
    );
  }

  async #vanishWhileRecovering(): Promise<void> {
    const body = JSON.stringify(await solved(this.#client, "retrieve", this.#user.main));
    await this.#vanish(
      head("POST", paths.retrieve, {
        "x-forwarded-for": this.#address,
        "content-type": "application/json",
        "content-length": body.length,
      }),
      body,
    );
  }

  async #vanish(start: string, body: string | Uint8Array): Promise<void> {
    using connection = await openConnection(this.#url);
    await connection.write(start);
    await connection.write(body);
    await Bun.sleep(this.#random() % 30);
  }
}

function userOf(user: User, backup: Uint8Array): User {
  return { ...user, backup, manifestHash: manifestHashOf(backup) };
}
