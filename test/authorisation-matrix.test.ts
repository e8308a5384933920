/**
 * Who may do what: every authenticated operation × every kind of factor × every way in which a proof can be wrong, each
 * with the status and the code that it must have.
 */
import { describe, expect, test } from "bun:test";
import { createAccountKeypair } from "../src/client/account-keypair.ts";
import type { Operation } from "../src/proofs/challenge-tokens.ts";
import type { FactorScope } from "../src/storage/contract.ts";
import { DRIVERS } from "./drivers.ts";
import type { Answer, RequestBody } from "./support/api-client.ts";
import { createFactorKeypair } from "./support/factor-keypair.ts";
import {
  type Addition,
  type AuthorizationBody,
  addFactor,
  additionChallenge,
  type ChallengeValue,
  createChallenge,
  created,
  createPayloadOf,
  existingHalf,
  type FactorUser,
  factorService,
  isPasskey,
  type MainFactor,
  newAccount,
  newFactorUser,
  newHalf,
  newKeypair,
  newPasskey,
  recoveredBy,
  removeFactor,
  stamped,
  TURNKEY,
} from "./support/factors.ts";
import { storedRecord } from "./support/stored.ts";
import { turnkeyActivity } from "./support/turnkey-activity.ts";
import { newManifestHash, randomBytes } from "./support/users.ts";

const MINUTE_MS = 60_000;

/** What challenges are issued for. A proof made for one is tried on all others. */
const CONTEXTS = [
  "create",
  "retrieve",
  "verify-factor",
  "add-sync-factor",
  "sync",
  "retrieve-metadata",
  "delete-factor",
  "delete-backup",
  "reset",
  "add-factor",
  "add-factor-new",
  "backup-account",
] as const satisfies readonly Operation[];

/** The factor that tries. `KEYPAIR` is in the operation's scope, `OTHER_KEYPAIR` in the other one only. */
const FACTORS = ["PASSKEY", "PASSKEY_BY_STAMP", "GOOGLE", "APPLE", "KEYPAIR", "OTHER_KEYPAIR"] as const;
type FactorName = (typeof FACTORS)[number];

/** What becomes of the factor's proof, or of the factor. The last two use up what the others share. */
const CONDITIONS = [
  "wrong context",
  "bound to another",
  "wrong token type",
  "expired",
  "not yet valid",
  "wrong key",
  "tampered signature",
  "swapped halves",
  "on no backup",
  "on another backup",
  "revoked",
  "indexed but not listed",
  "its backup is missing",
  "valid",
  "replay",
] as const;
type Condition = (typeof CONDITIONS)[number];

/** How a factor takes part in an operation. */
type Role =
  | "acts by key"
  | "acts by passkey"
  | "acts by assertion" // in add-factor, where a passkey without an activity is taken for a forgotten stamp
  | "acts by stamp"
  | "acts out of scope"
  | "is registered by key"
  | "is registered by passkey"
  | "may not act"
  | "may not be registered";

/** `"done"`: succeeds. `"theirs"`: what the operation does with the factor of another backup. `null`: there is no such case. */
type Outcome = string | null;

const all = (code: string) =>
  Object.fromEntries(CONDITIONS.map((name) => [name, code])) as Record<Condition, Outcome>;

const ACTS: Readonly<Record<Condition, Outcome>> = {
  "wrong context": "invalid_challenge_context",
  "bound to another": "invalid_challenge_context",
  "wrong token type": "unexpected_challenge_type",
  expired: "jwt_error",
  "not yet valid": "jwt_error",
  "wrong key": "signature_verification_error",
  "tampered signature": "signature_verification_error",
  "swapped halves": "invalid_challenge_context",
  "on no backup": "backup_untraceable",
  "on another backup": "theirs",
  revoked: "backup_untraceable",
  "indexed but not listed": "unauthorized_factor",
  "its backup is missing": "backup_missing",
  valid: "done",
  replay: "already_used",
};
const IS_REGISTERED: Readonly<Record<Condition, Outcome>> = {
  ...ACTS,
  "on no backup": null, // as it must be
  "on another backup": "factor_already_exists",
  revoked: "done",
  "indexed but not listed": "factor_already_exists",
  "its backup is missing": "factor_already_exists",
};
const WEBAUTHN = { "wrong key": "webauthn_error", "tampered signature": "webauthn_error" };

/** The one table: what a factor in a role is answered in a condition. */
const TABLE: Readonly<Record<Role, Readonly<Record<Condition, Outcome>>>> = {
  "acts by key": ACTS,
  "acts by passkey": { ...ACTS, ...WEBAUTHN },
  "acts by assertion": {
    ...ACTS,
    ...WEBAUTHN,
    "wrong context": "missing_turnkey_activity",
    "wrong token type": "missing_turnkey_activity",
    expired: "missing_turnkey_activity",
    "not yet valid": "missing_turnkey_activity",
  },
  "acts by stamp": {
    ...ACTS,
    "wrong key": "turnkey_activity_error",
    "tampered signature": "turnkey_activity_error",
    "indexed but not listed": "backup_untraceable",
  },
  "acts out of scope": {
    ...ACTS,
    "on another backup": "backup_untraceable",
    valid: "backup_untraceable",
    replay: "backup_untraceable",
  },
  "is registered by key": IS_REGISTERED,
  "is registered by passkey": { ...IS_REGISTERED, ...WEBAUTHN },
  "may not act": all("invalid_authorization_type"),
  "may not be registered": all("invalid_sync_factor_type"),
};

/** A challenge that was handed out, and the rest of the request that goes with it. */
interface Begun {
  readonly challenge: ChallengeValue;
  readonly token: string;
  /** What the factor answers to a challenge. */
  answer(challenge: ChallengeValue): AuthorizationBody;
  send(
    proof: { authorization: AuthorizationBody; challengeToken: string },
    more?: RequestBody,
  ): Promise<Answer<unknown>>;
}

interface OperationRow {
  readonly name: string;
  readonly context: Operation;
  readonly scope: FactorScope;
  readonly registers: boolean;
  /** What its tokens are bound to besides: the name of the member of the challenge's request. */
  readonly bound?: "factorId";
  readonly done: 200 | 204;
  /** What the factor of another backup is answered: `"done"` acts on that one. */
  readonly theirs?: string;
  readonly hasHalves?: true;
}

const OPERATIONS: readonly OperationRow[] = [
  { name: "create, main factor", context: "create", scope: "MAIN", registers: true, done: 200 },
  { name: "create, sync factor", context: "create", scope: "SYNC", registers: true, done: 200 },
  { name: "retrieve", context: "retrieve", scope: "MAIN", registers: false, done: 200, theirs: "done" },
  {
    name: "verify-factor",
    context: "verify-factor",
    scope: "MAIN",
    registers: false,
    done: 200,
    theirs: "done",
  },
  { name: "add-sync-factor", context: "add-sync-factor", scope: "SYNC", registers: true, done: 200 },
  {
    name: "sync",
    context: "sync",
    scope: "SYNC",
    registers: false,
    done: 200,
    theirs: "manifest_hash_mismatch",
  },
  {
    name: "retrieve-metadata",
    context: "retrieve-metadata",
    scope: "SYNC",
    registers: false,
    done: 200,
    theirs: "done",
  },
  {
    name: "delete-factor",
    context: "delete-factor",
    scope: "SYNC",
    registers: false,
    bound: "factorId",
    done: 200,
    theirs: "factor_not_found",
  },
  {
    name: "delete-backup",
    context: "delete-backup",
    scope: "SYNC",
    registers: false,
    done: 204,
    theirs: "done",
  },
  {
    name: "add-factor, existing factor",
    context: "add-factor",
    scope: "MAIN",
    registers: false,
    done: 200,
    theirs: "done",
    hasHalves: true,
  },
  {
    name: "add-factor, new factor",
    context: "add-factor-new",
    scope: "MAIN",
    registers: true,
    done: 200,
    hasHalves: true,
  },
];

function isPasskeyName(factor: FactorName): boolean {
  return factor === "PASSKEY" || factor === "PASSKEY_BY_STAMP";
}

/** `null` where the factor cannot take part in that way at all. */
function roleOf({ name, scope, registers }: OperationRow, factor: FactorName): Role | null {
  const isAddition = name === "add-factor, existing factor";
  if (factor === "PASSKEY_BY_STAMP") return isAddition ? "acts by stamp" : null;
  const isKeypair = factor === "KEYPAIR" || factor === "OTHER_KEYPAIR";
  if (scope === "SYNC" && !isKeypair) return registers ? "may not be registered" : "may not act";
  if (registers) return factor === "PASSKEY" ? "is registered by passkey" : "is registered by key";
  if (factor === "PASSKEY") return isAddition ? "acts by assertion" : "acts by passkey";
  return factor === "OTHER_KEYPAIR" ? "acts out of scope" : "acts by key";
}

interface Cell {
  readonly condition: Condition;
  /** The operation that the token is for. */
  readonly context: Operation;
  readonly expected: readonly [status: number, code: string];
}

const STATUS = { manifest_hash_mismatch: 412 } as const;

function cellsOf(row: OperationRow, factor: FactorName, role: Role): readonly Cell[] {
  return CONDITIONS.flatMap((condition): Cell[] => {
    if (condition === "bound to another" && row.bound === undefined) return [];
    if (condition === "swapped halves" && row.hasHalves === undefined) return [];
    const tabled = TABLE[role][condition];
    // The agreement names the id_token, and a mismatch of that has a code of its own.
    const isIdToken = row.registers && (factor === "GOOGLE" || factor === "APPLE");
    const outcome = condition === "swapped halves" && isIdToken ? "oidc_token_mismatch" : tabled;
    const code = outcome === "theirs" ? (row.theirs ?? null) : outcome;
    if (code === null) return [];
    const status = code === "done" ? row.done : code in STATUS ? STATUS.manifest_hash_mismatch : 400;
    const expected = [status, code] as const;
    if (condition !== "wrong context") return [{ condition, context: row.context, expected }];
    return CONTEXTS.filter((context) => context !== row.context).map((context) => ({
      condition,
      context,
      expected,
    }));
  });
}

const MATRIX = OPERATIONS.flatMap((row) =>
  FACTORS.flatMap((factor) => {
    const role = roleOf(row, factor);
    return role === null ? [] : [{ row, factor, cells: cellsOf(row, factor, role) }];
  }),
);

/** The key of the account id is no factor: it resets, and nothing else. */
const RESET_CELLS: readonly (readonly [condition: string, expected: readonly [number, string]])[] = [
  ...CONTEXTS.filter((context) => context !== "reset").map(
    (context) => [`wrong context: ${context}`, [400, "invalid_challenge_context"]] as const,
  ),
  ["bound to another", [400, "invalid_challenge_context"]],
  ["wrong token type", [400, "unexpected_challenge_type"]],
  ["expired", [400, "jwt_error"]],
  ["not yet valid", [400, "jwt_error"]],
  ["wrong key", [400, "signature_verification_error"]],
  ["tampered signature", [400, "signature_verification_error"]],
  ["its backup is missing", [404, "not_found"]],
  ["valid", [204, "done"]],
  ["replay", [400, "already_used"]],
];

const CELL_COUNT = MATRIX.reduce((sum, { cells }) => sum + cells.length, RESET_CELLS.length);

for (const driver of DRIVERS)
  describe(`the authorisation matrix (${driver.name})`, () => {
    const { service, issuer } = factorService(driver);
    /** What a passkey stamped last: it is sent beside the stamp. */
    let lastActivity = "";

    test(`has ${CELL_COUNT} cells, ${MATRIX.length} factors in operations, and every operation`, () => {
      const missing = CONTEXTS.filter((context) => !OPERATIONS.some((row) => row.context === context));
      expect(missing).toEqual(["reset", "backup-account"]); // by the account's key: below, and where that proof is tested
      expect(new Set(MATRIX.flatMap(({ cells }) => cells.map(({ condition }) => condition))).size).toBe(
        CONDITIONS.length,
      );
      expect(MATRIX.length).toBe(OPERATIONS.length * (FACTORS.length - 1) + 1);
    });

    for (const { row, factor, cells } of MATRIX)
      test(`${factor} in ${row.name}: ${cells.length} cells`, async () => {
        const world = await newWorld(row, factor);
        const told: unknown[] = [];
        let last: { proof: Parameters<Begun["send"]>[0]; begun: Begun } | null = null;
        for (const cell of cells) {
          let answer: Answer<unknown>;
          if (cell.condition === "replay") {
            if (last === null) throw new Error("there is nothing to replay");
            answer = await last.begun.send(last.proof);
          } else {
            const { begun, proof, sendIt } = await tried(world, row, factor, cell);
            if (cell.condition === "valid") last = { begun, proof };
            answer = await sendIt();
          }
          told.push([cell.condition, cell.context, ...outcomeOf(answer)]);
        }
        expect(told).toEqual(
          cells.map(({ condition, context, expected }) => [condition, context, ...expected]),
        );
      });

    test(`the account key in reset: ${RESET_CELLS.length} cells`, async () => {
      const { client, clock, services } = service();
      const user = await created(client, newKeypair());
      const { backupAccountId } = user.account;
      const send = (signature: string, challengeToken: string, id = backupAccountId) =>
        client.reset({ backupAccountId: id, signature, challengeToken });
      const begin = async (id = backupAccountId) =>
        (await client.keypairChallenge("reset", { backupAccountId: id })).ok();
      const told: unknown[] = [];
      let used: readonly [string, string] = ["", ""];
      for (const [condition] of RESET_CELLS) {
        const { challenge, token } = await begin();
        const signature = user.account.sign(challenge);
        const [, context] = /^wrong context: (.+)$/.exec(condition) ?? [];
        const attempt = async (): Promise<Answer<unknown>> => {
          if (context !== undefined) {
            const foreign = await challengeFor(context as Operation, "keypair");
            return send(user.account.sign(textOf(foreign.challenge)), foreign.token);
          }
          switch (condition) {
            case "bound to another":
              return send(signature, (await begin(createAccountKeypair().backupAccountId)).token);
            case "wrong token type": {
              const bytes = Buffer.from(challenge, "base64");
              return send(
                signature,
                await services.challengeTokens.issue("passkey", bytes, {
                  operation: "reset",
                  bindings: { backupAccountId },
                }),
              );
            }
            case "expired":
              clock.advance(15 * MINUTE_MS);
              return send(signature, token);
            case "not yet valid": {
              clock.advance(-MINUTE_MS);
              const answer = await send(signature, token);
              clock.advance(MINUTE_MS);
              return answer;
            }
            case "wrong key":
              return send(createAccountKeypair().sign(challenge), token);
            case "tampered signature":
              return send(user.account.sign(Buffer.alloc(32).toString("base64")), token);
            case "its backup is missing": {
              const nobody = createAccountKeypair();
              const issued = await begin(nobody.backupAccountId);
              return send(nobody.sign(issued.challenge), issued.token, nobody.backupAccountId);
            }
            case "valid":
              used = [signature, token];
              return send(...used);
            default:
              return send(...used);
          }
        };
        told.push([condition, outcomeOf(await attempt())]);
      }
      expect(told).toEqual(RESET_CELLS.map(([condition, expected]) => [condition, expected]));
    });

    /** A user, the factor that acts or is to be registered, and the id of the user's sync factor. */
    interface World {
      readonly user: FactorUser;
      readonly factor: MainFactor;
      readonly factorId: string;
    }

    function newFactor(name: FactorName, { scope }: OperationRow): MainFactor {
      if (isPasskeyName(name)) return newPasskey();
      if (name === "GOOGLE" || name === "APPLE") return newAccount(name, issuer);
      return newKeypair(createFactorKeypair(), scope);
    }

    /** The user's factor where it acts; a new one where it is registered. */
    async function newWorld(row: OperationRow, name: FactorName): Promise<World> {
      const { client } = service();
      const isKeypair = name === "KEYPAIR" || name === "OTHER_KEYPAIR";
      const main = row.registers || isKeypair ? newKeypair() : newFactor(name, row);
      const user = await created(client, main);
      const [sync] = (await recoveredBy(client, main)).metadata.syncFactors;
      return { user, factor: await ownFactor(row, name, user), factorId: sync?.id ?? "" };
    }

    async function ownFactor(row: OperationRow, name: FactorName, user: FactorUser): Promise<MainFactor> {
      if (name === "OTHER_KEYPAIR" && row.registers)
        return keypairElsewhere(row.scope === "MAIN" ? "SYNC" : "MAIN");
      if (row.registers) return newFactor(name, row);
      const isSync =
        name === "KEYPAIR" ? row.scope === "SYNC" : name === "OTHER_KEYPAIR" && row.scope === "MAIN";
      return isSync ? newKeypair(user.sync, row.scope) : user.main;
    }

    /** A keypair that is a factor of another user, in this scope. */
    async function keypairElsewhere(scope: FactorScope): Promise<MainFactor> {
      const main = newKeypair();
      const { sync } = await created(service().client, main);
      return scope === "MAIN" ? main : newKeypair(sync);
    }

    /** The factor in the state that the condition is about. */
    async function factorIn(
      condition: Condition,
      { user, factor }: World,
      row: OperationRow,
      name: FactorName,
    ): Promise<MainFactor> {
      const { client, services } = service();
      const other = newFactor(name, row);
      const ref = { scope: row.scope, key: other.ref.key };
      switch (condition) {
        case "on no backup":
          return other;
        case "on another backup": {
          if (other.kind !== "EC_KEYPAIR") return (await created(client, other)).main;
          const isOutOfScope = name === "OTHER_KEYPAIR" && !row.registers;
          const scope = isOutOfScope ? (row.scope === "MAIN" ? "SYNC" : "MAIN") : row.scope;
          return keypairElsewhere(scope);
        }
        case "revoked":
          await revoke(other, row.scope);
          return other;
        case "indexed but not listed": {
          const { backupAccountId: backupId } = user.account;
          const stored = await storedRecord(services, backupId);
          expect(
            await services.records.commit({ backupId, expect: stored, next: stored, claim: [ref] }),
          ).toBe("committed");
          return other;
        }
        case "its backup is missing": {
          const { blob, metadata } = await storedRecord(services, user.account.backupAccountId);
          const backupId = createAccountKeypair().backupAccountId;
          const next = { blob, metadata };
          expect(await services.records.commit({ backupId, expect: "absent", next, claim: [ref] })).toBe(
            "committed",
          );
          const stored = await storedRecord(services, backupId);
          expect(await services.records.commit({ backupId, expect: stored, next: null })).toBe("committed");
          return other;
        }
        default:
          return factor;
      }
    }

    /** Puts a factor on a backup and takes it off again. */
    async function revoke(factor: MainFactor, scope: FactorScope): Promise<void> {
      const { client } = service();
      const owner = await created(client, newKeypair());
      if (scope === "MAIN" || factor.kind !== "EC_KEYPAIR") {
        const { factorId } = await addFactor(service(), owner.main, factor);
        (await removeFactor(client, owner.sync, factorId)).ok();
        return;
      }
      const { syncFactorToken } = await recoveredBy(client, owner.main);
      const { challenge, token } = (await client.keypairChallenge("add-sync-factor")).ok();
      const addition = { syncFactor: factor.prove(challenge), challengeToken: token, syncFactorToken };
      (await client.addSyncFactor(addition)).ok();
      const { syncFactors } = (await recoveredBy(client, owner.main)).metadata;
      (await removeFactor(client, owner.sync, syncFactors[1]?.id ?? "", { scope: "SYNC" })).ok();
    }

    /** The attempt of a cell, ready to be sent. */
    async function tried(world: World, row: OperationRow, name: FactorName, { condition, context }: Cell) {
      const { clock, services } = service();
      const factor = await factorIn(condition, world, row, name);
      const begun = await begin(world, row, name, factor);
      const type = isPasskey(factor) ? "passkey" : "keypair";
      const proofOf = ({ challenge, token }: Pick<Begun, "challenge" | "token">) => ({
        authorization: begun.answer(challenge),
        challengeToken: token,
      });
      const right = { begun, proof: proofOf(begun) };
      const sending = (proof: typeof right.proof, by = begun) => ({ ...right, sendIt: () => by.send(proof) });
      switch (condition) {
        case "wrong context":
          return sending(proofOf(await challengeFor(context, type)));
        case "bound to another": {
          const elsewhere = await begin({ ...world, factorId: crypto.randomUUID() }, row, name, factor);
          return sending(proofOf(elsewhere));
        }
        case "wrong token type": {
          const bytes = randomBytes(32);
          const other = type === "passkey" ? "keypair" : "passkey";
          const token = await services.challengeTokens.issue(other, bytes, { operation: row.context });
          return sending(proofOf({ challenge: Buffer.from(bytes).toString("base64"), token }));
        }
        case "expired":
          return {
            ...right,
            sendIt: () => {
              clock.advance(15 * MINUTE_MS);
              return begun.send(right.proof);
            },
          };
        case "not yet valid":
          return {
            ...right,
            sendIt: async () => {
              clock.advance(-MINUTE_MS);
              const answer = await begun.send(right.proof);
              clock.advance(MINUTE_MS);
              return answer;
            },
          };
        case "wrong key":
        case "tampered signature": {
          const authorization = spoilt(condition, right.proof.authorization, factor, begun, row.registers);
          return sending({ ...right.proof, authorization });
        }
        case "swapped halves": {
          const another = await begin(world, row, name, row.registers ? newFactor(name, row) : factor);
          return sending(right.proof, another);
        }
        default:
          return sending(right.proof);
      }
    }

    function spoilt(
      how: "wrong key" | "tampered signature",
      authorization: AuthorizationBody,
      factor: MainFactor,
      { challenge, answer }: Begun,
      registers: boolean,
    ): AuthorizationBody {
      if (!isPasskey(factor)) {
        const signature =
          how === "wrong key"
            ? createFactorKeypair().sign(textOf(challenge))
            : flipped(String(authorization.signature), "base64");
        return { ...authorization, signature };
      }
      if (registers) {
        const given = factor.registerWith(challenge, { attestation: "self", wrongKey: how === "wrong key" });
        return how === "wrong key"
          ? given
          : withResponse(given, ({ clientDataJSON }) => ({ clientDataJSON: spaced(String(clientDataJSON)) }));
      }
      if (how === "tampered signature")
        return withResponse(answer(challenge), ({ signature }) => ({
          signature: flipped(String(signature), "base64url"),
        }));
      const { signature } = responseOf(newPasskey().prove(challenge));
      return withResponse(authorization, () => ({ signature }));
    }

    /** A challenge of an operation, from its own endpoint where it has one for the type. */
    async function challengeFor(
      operation: Operation,
      type: "passkey" | "keypair",
      bound: RequestBody = { factorId: "any", backupAccountId: createAccountKeypair().backupAccountId },
    ): Promise<{ readonly challenge: ChallengeValue; readonly token: string }> {
      const { client, services } = service();
      if (operation === "create") return createChallenge(client, type);
      if (operation === "add-factor" || operation === "add-factor-new") {
        const isPasskeyChallenge = type === "passkey";
        const newFactor = isPasskeyChallenge
          ? { kind: "PASSKEY_REGISTRATION", platform: "ANDROID" }
          : { kind: "EC_KEYPAIR", publicKey: createFactorKeypair().publicKey };
        const existingFactorKind = isPasskeyChallenge ? "PASSKEY_ASSERTION" : "EC_KEYPAIR";
        const issued = (await client.addFactorChallenge({ newFactor, existingFactorKind })).ok();
        return operation === "add-factor"
          ? { challenge: issued.existingFactorChallenge, token: issued.existingFactorToken }
          : { challenge: issued.newFactorChallenge, token: issued.newFactorToken };
      }
      if (type === "passkey") {
        if (operation === "retrieve" || operation === "verify-factor")
          return (await client.passkeyChallenge(operation)).ok();
        const bytes = randomBytes(32);
        const token = await services.challengeTokens.issue("passkey", bytes, { operation });
        return { challenge: Buffer.from(bytes).toString("base64"), token };
      }
      if (operation === "backup-account") {
        const issued = await createChallenge(client, "keypair");
        return { challenge: issued.backupAccountChallenge, token: issued.backupAccountChallengeToken };
      }
      return (await client.keypairChallenge(operation, bound)).ok();
    }

    /** Takes the operation's challenge, with all the rest of the request valid. */
    async function begin(
      world: World,
      row: OperationRow,
      name: FactorName,
      factor: MainFactor,
    ): Promise<Begun> {
      const { client } = service();
      const { user, factorId } = world;
      if (row.name.startsWith("add-factor")) return beginAddition(world, row, name, factor);
      const bound = row.bound === undefined ? {} : { factorId };
      const type = isPasskey(factor) ? "passkey" : "keypair";
      const issued = await challengeFor(row.context, type, bound);
      const answer = (challenge: ChallengeValue) =>
        row.registers ? factor.register().answer(challenge) : factor.prove(challenge);
      const send: Begun["send"] = async (proof) => {
        const { authorization, challengeToken } = proof;
        switch (row.name) {
          case "create, main factor": {
            const creator = newFactorUser(factor);
            return client.create(
              { ...(await createPayloadOf(client, creator, () => authorization)), ...proof },
              user.backup,
            );
          }
          case "create, sync factor": {
            const payload = await createPayloadOf(client, newFactorUser(newKeypair()));
            const initial = { initialSyncFactor: authorization, initialSyncChallengeToken: challengeToken };
            return client.create({ ...payload, ...initial }, user.backup);
          }
          case "retrieve":
            return client.retrieve(proof);
          case "verify-factor":
            return client.verifyFactor(proof);
          case "add-sync-factor":
            return client.addSyncFactor({
              syncFactor: authorization,
              challengeToken,
              syncFactorToken: (await recoveredBy(client, user.main)).syncFactorToken,
            });
          case "sync":
            return client.sync(
              { ...proof, currentManifestHash: user.manifestHash, newManifestHash: newManifestHash() },
              randomBytes(20),
            );
          case "retrieve-metadata":
            return client.retrieveMetadata(proof);
          case "delete-factor":
            return client.deleteFactor({ ...proof, factorId: world.factorId, scope: "SYNC" });
          case "delete-backup":
            return client.deleteBackup(proof);
          default:
            throw new Error(`${row.name} is not sent`);
        }
      };
      return { ...issued, answer, send };
    }

    async function beginAddition(
      { user }: World,
      row: OperationRow,
      name: FactorName,
      factor: MainFactor,
    ): Promise<Begun> {
      const { client, clock } = service();
      const isExisting = !row.registers;
      const byStamp = name === "PASSKEY_BY_STAMP";
      const existingKind = byStamp
        ? "PASSKEY"
        : isPasskey(factor) && isExisting
          ? "PASSKEY_ASSERTION"
          : factor.kind;
      const addition: Addition = isExisting
        ? { existing: factor, existingKind, added: newKeypair(), nowMs: clock.nowMs() }
        : { existing: user.main, existingKind: "EC_KEYPAIR", added: factor, nowMs: clock.nowMs() };
      const { ceremony, challenges } = await additionChallenge(client, addition);
      if (isExisting) {
        const half = newHalf(addition, ceremony, challenges);
        const answer = (challenge: ChallengeValue) => {
          if (!byStamp) return factor.prove(challenge);
          const bytes = Buffer.from(textOf(challenge), "base64");
          lastActivity = turnkeyActivity({
            challenge: bytes,
            organizationId: TURNKEY.turnkeyAccountId,
            nowMs: clock.nowMs(),
          });
          return stamped(factor, lastActivity);
        };
        return {
          challenge: challenges.existingFactorChallenge,
          token: challenges.existingFactorToken,
          answer,
          send: ({ authorization, challengeToken }) =>
            client.addFactor({
              existingFactorAuthorization: authorization,
              existingFactorChallengeToken: challengeToken,
              existingFactorTurnkeyActivity: byStamp ? lastActivity : null,
              ...half,
            }),
        };
      }
      const half = existingHalf(addition, challenges);
      return {
        challenge: challenges.newFactorChallenge,
        token: challenges.newFactorToken,
        answer: (challenge) => ceremony.answer(challenge),
        send: ({ authorization, challengeToken }) =>
          client.addFactor({
            ...half,
            newFactorAuthorization: authorization,
            newFactorChallengeToken: challengeToken,
            turnkeyProviderId: "turnkey-provider-1",
          }),
      };
    }
  });

function outcomeOf(answer: Answer<unknown>): readonly [number, string] {
  return [answer.status, answer.status < 300 ? "done" : answer.code()];
}

function textOf(challenge: ChallengeValue): string {
  return typeof challenge === "string"
    ? challenge
    : Buffer.from(challenge.publicKey.challenge, "base64url").toString("base64");
}

/** Bytes with the last one changed. */
function flipped(text: string, encoding: "base64" | "base64url"): string {
  const bytes = Buffer.from(text, encoding);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  return bytes.toString(encoding);
}

/** JSON in base64url with a space behind it. */
function spaced(text: string): string {
  return Buffer.concat([Buffer.from(text, "base64url"), Buffer.from(" ")]).toString("base64url");
}

function responseOf({ credential }: AuthorizationBody): RequestBody {
  return (credential as { readonly response: RequestBody }).response;
}

function withResponse(
  authorization: AuthorizationBody,
  change: (response: RequestBody) => RequestBody,
): AuthorizationBody {
  const response = responseOf(authorization);
  const credential = {
    ...(authorization.credential as RequestBody),
    response: { ...response, ...change(response) },
  };
  return { ...authorization, credential };
}
