/** Nonces and sync factor tokens, in the table `one_time`. Writes are made inside a transaction. */
import type { Clock } from "../../runtime/clock.ts";
import type { Nonce } from "../../runtime/nonce.ts";
import type { SyncFactorToken } from "../contract.ts";
import { storedKey } from "../stored-key.ts";
import type { Statements } from "./statements.ts";

export class OneTime {
  readonly #statements: Statements;
  readonly #clock: Clock;

  constructor(statements: Statements, clock: Clock) {
    this.#statements = statements;
    this.#clock = clock;
  }

  anyConsumed(nonces: readonly Nonce[]): boolean {
    return nonces.some(({ id }) => this.#live(id) !== undefined);
  }

  consume(nonces: readonly Nonce[]): void {
    for (const { id, expiresAtMs } of nonces)
      this.#statements.putOneTime().run({
        id: storedKey(id),
        expiresAtMs,
        spent: true,
        backupId: null,
        holder: null,
      });
  }

  /** Removes what one call of `consume` has stored. */
  release(nonces: readonly Nonce[], issued: SyncFactorToken | undefined): void {
    const remove = ({ id, expiresAtMs }: Nonce, spent: boolean) =>
      this.#statements.deleteOneTime().run({ id: storedKey(id), expiresAtMs, spent });
    for (const nonce of nonces) remove(nonce, true);
    if (issued !== undefined) remove(issued, false);
  }

  /** As {@link RecordStore.readToken}. */
  token(id: string) {
    const row = this.#live(id);
    if (row === undefined || row.backupId === null || row.holder === null) return null;
    return { backupId: row.backupId, holder: row.holder, redeemed: row.spent };
  }

  redeem(id: string): void {
    this.#statements.redeem().run({ id: storedKey(id) });
  }

  issue({ id, expiresAtMs, backupId, holder }: SyncFactorToken): void {
    if (this.#live(id) !== undefined) throw new Error("a sync factor token of this id was already issued");
    this.#statements.putOneTime().run({ id: storedKey(id), expiresAtMs, spent: false, backupId, holder });
  }

  #live(id: string) {
    return this.#statements.oneTime().get({ id: storedKey(id), nowMs: this.#clock.nowMs() });
  }
}
