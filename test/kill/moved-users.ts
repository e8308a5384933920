/** What the campaigns have in common that kill what moves users in. */
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import type { TestStorage } from "../drivers.ts";
import { newPasskey } from "../support/factors.ts";
import { brokenInvariantsOfAll } from "../support/invariants.ts";
import {
  type LegacyUser,
  legacyAccount,
  legacyKeypair,
  legacyPasskey,
  legacyUser,
} from "../support/legacy-users.ts";
import type { OidcIssuer } from "../support/oidc-issuer.ts";
import type { Ended } from "../support/run-bun.ts";

export interface MoveKills {
  readonly kills: number;
  readonly users: number;
  readonly seed: number;
}

/**
 * Users with a main factor of any kind. Some have more factors than one commit indexes, and some a ciphertext of several
 * pieces.
 */
export function usersToMove(count: number, issuer: OidcIssuer): readonly LegacyUser[] {
  const kinds = [
    () => legacyKeypair(),
    () => legacyPasskey(),
    () => legacyPasskey(newPasskey({ counter: 5 })),
    () => legacyAccount("GOOGLE", issuer, "newer"),
    () => legacyAccount("APPLE", issuer, "older"),
  ];
  return Array.from({ length: count }, (_, index) => {
    const newMain = kinds[index % kinds.length] ?? legacyKeypair;
    const mains = index % 7 === 0 ? Array.from({ length: 100 }, () => legacyKeypair()) : [newMain()];
    return legacyUser({ mains, ...(index % 4 === 0 ? { contentBytes: 300_000 } : {}) });
  });
}

/** What is wrong where a command did not end well. */
export function failedCommand(name: string, { status, output }: Ended): readonly string[] {
  return status === 0 ? [] : [`${name} ended with ${status}: ${output}`];
}

/** What is wrong where not all of them are stored, sound. */
export async function brokenStorage(storage: TestStorage, backups: number): Promise<readonly string[]> {
  await using stores = await storage.open({ clock: systemClock, random: systemRandom });
  const stored = await Array.fromAsync(stores.records.list());
  const missing = stored.length === backups ? [] : [`${stored.length} of ${backups} backups are stored`];
  return [...missing, ...(await brokenInvariantsOfAll(stores))];
}
