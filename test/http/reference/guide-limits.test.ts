import { describe, expect, test } from "bun:test";
import type { TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { DEFAULT_TIMEOUT_MS } from "../../../src/app.ts";
import { SYNC_FACTOR_TOKEN_LIFETIME_MS } from "../../../src/backups/retrieve.ts";
import { EnvironmentReader } from "../../../src/config/environment.ts";
import { historyConfig } from "../../../src/config/history.ts";
import { limitsConfig, rateLimitsConfig } from "../../../src/config/limits.ts";
import { MAX_JSON_DEPTH } from "../../../src/http/body/body.ts";
import { readChapter } from "../../../src/http/reference/guide/page.ts";
import { MAX_UPLOAD_MS, MIN_BYTES_PER_SECOND } from "../../../src/limits/time-limit.ts";
import { CHALLENGE_LIFETIME_S } from "../../../src/proofs/challenge-tokens.ts";
import { ID_TOKEN_MAX_AGE_S } from "../../../src/proofs/identity/oidc.ts";
import { requestOptions } from "../../../src/proofs/passkey/webauthn-options.ts";
import { AddFactorRequest } from "../../../src/protocol/add-factor.ts";
import { Authorization, IdToken } from "../../../src/protocol/authorization.ts";
import { ChallengeToken } from "../../../src/protocol/challenge.ts";
import { EncryptionKey, TurnkeyProviderId } from "../../../src/protocol/encryption-key.ts";
import { PasskeyName } from "../../../src/protocol/webauthn.ts";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { MAX_JSON_BYTES, MAX_PAYLOAD_BYTES, UPLOAD_OVERHEAD_BYTES } from "../../../src/runtime/sizes.ts";
import { MAX_EVENTS } from "../../../src/storage/contract.ts";

const defaults = new EnvironmentReader({});
const limits = limitsConfig(defaults);
const { versions, deletedKeepMs, eventsKeepMs } = historyConfig(defaults);
const rates = rateLimitsConfig(defaults, true);
if (rates === null) throw new Error("rates are limited by default");

/** The longest text that a schema accepts, in the place where `at` puts it. */
function longest(schema: TSchema, at: (text: string) => unknown = (text) => text): number {
  let [fits, tooLong] = [0, 1024 * 1024];
  while (tooLong - fits > 1) {
    const length = Math.floor((fits + tooLong) / 2);
    if (Value.Check(schema, at("a".repeat(length)))) fits = length;
    else tooLong = length;
  }
  return fits;
}

const inCredential = (text: string) => ({ kind: "PASSKEY", credential: { a: text } });
const inLabel = (label: string) => ({ kind: "PASSKEY", credential: {}, label });
const turnkey = {
  kind: "TURNKEY",
  encryptedKey: "",
  turnkeyAccountId: "",
  turnkeyUserId: "",
  turnkeyPrivateKeyId: "",
};
const turnkeyActivity = AddFactorRequest.properties.existingFactorTurnkeyActivity;

const bytes = (length: number) =>
  ["bytes", "KiB", "MiB", "GiB"].reduce(
    (text, unit, power) => (length % 1024 ** power === 0 ? `${length / 1024 ** power} ${unit}` : text),
    "",
  );
const minutes = (ms: number) => `${ms / 60_000} minutes`;
const days = (ms: number) => `${ms / (24 * 60 * 60 * 1000)} days`;
const a = (rate: number, unit: string) => `${rate.toLocaleString("en")} ${unit}`;

/** The rows of the tables, by their first cell. */
const rows = new Map(
  [
    ...(await readChapter("limits.md")).matchAll(
      /^\| ([^|]+?)(?: \*)? \|(?: (?:address|backup) \|)? ([^|]+?) \|/gm,
    ),
  ].map(([row, name = "", value = ""]) => [row.includes("| backup |") ? `${name} of a backup` : name, value]),
);

describe("the guide's limits", () => {
  test.each([
    ["the ciphertext", bytes(limits.maxBackupBytes)],
    ["a body of `/v1/create` or `/v1/sync`", bytes(limits.maxBackupBytes + UPLOAD_OVERHEAD_BYTES)],
    ["the part `payload` of it", bytes(MAX_PAYLOAD_BYTES)],
    ["a JSON body", bytes(MAX_JSON_BYTES)],
    ["a JSON body of an attested operation", bytes(MAX_PAYLOAD_BYTES)],
    ["the depth of JSON", `${MAX_JSON_DEPTH} levels`],
    ["`credential` of a passkey, as JSON", bytes(longest(Authorization, inCredential) + '{"a":""}'.length)],
    ["`encryptedKey`", bytes(longest(EncryptionKey, (encryptedKey) => ({ kind: "PRF", encryptedKey })))],
    [
      "the other members of a `TURNKEY` key",
      bytes(longest(EncryptionKey, (turnkeyUserId) => ({ ...turnkey, turnkeyUserId }))),
    ],
    ["`turnkeyProviderId`", bytes(longest(TurnkeyProviderId))],
    ["an id_token", bytes(longest(IdToken))],
    ["a challenge token", bytes(longest(ChallengeToken))],
    ["a Turnkey activity", bytes(longest(turnkeyActivity))],
    ["`label`, `name`, `displayName`", `${longest(Authorization, inLabel)} characters`],
    ["`label`, `name`, `displayName`", `${longest(PasskeyName)} characters`],
    ["main factors of a backup", `${limits.maxMainFactors}`],
    ["sync factors of a backup", `${limits.maxSyncFactors}`],
    ["a challenge is valid for", minutes(CHALLENGE_LIFETIME_S * 1000)],
    ["a sync factor token is valid for", minutes(SYNC_FACTOR_TOKEN_LIFETIME_MS)],
    ["an id_token may be used for", minutes(ID_TOKEN_MAX_AGE_S * 1000)],
    ["a WebAuthn ceremony may take", minutes(ceremonyMs())],
    ["a request may take", `${DEFAULT_TIMEOUT_MS / 1000} seconds`],
    ["an upload may take", minutes(MAX_UPLOAD_MS)],
    ["a deleted backup can be brought back for", days(deletedKeepMs)],
    ["the security log has an event for", days(eventsKeepMs)],
    ["earlier contents are kept: the last ones of", `${versions.keepDays} days`],
    ["challenges", a(rates.addressChallengesPerMinute, "a minute")],
    ["failed proofs", a(rates.addressFailuresPerMinute, "a minute")],
    ["removals, deletions, resets", a(rates.addressDestructionsPerMinute, "a minute")],
    ["calls of `/v1/backup/status`", a(rates.addressStatusPerMinute, "a minute")],
    ["creates", a(rates.addressCreatesPerHour, "an hour")],
    ["bytes of creates", `${bytes(rates.addressCreatedBytesPerHour)} an hour`],
    ["failed proofs of a backup", a(rates.backupFailuresPerHour, "an hour")],
    ["removals and deletions of a backup", a(rates.backupDestructionsPerHour, "an hour")],
    ["calls of `/v1/restore-version` of a backup", a(rates.backupRestoresPerHour, "an hour")],
  ])("has %s: %s", (name, value) => {
    expect(rows.get(name)).toBe(value);
  });

  test("says in words what no table has", async () => {
    const text = (await readChapter("limits.md")).replaceAll("\n", " ");
    expect(text).toContain(`arrives at ${bytes(MIN_BYTES_PER_SECOND)}/s on average`);
    expect(text).toContain(`the newest ${MAX_EVENTS.toLocaleString("en")} events`);
  });
});

function ceremonyMs(): number {
  const config = { rpId: "example.com", rpName: "Example", origins: [] };
  return requestOptions(config, systemRandom).options.publicKey.timeout;
}
