/** Every call that a keypair authorises, in one shape: so that what is true of all of them is tested for all. */

import { type KeypairSolvable, keypairChallenges } from "../../src/protocol/challenge-operations.ts";
import type { ApiClient, ApiResponse, RequestBody } from "./api-client.ts";
import type { FactorKeypair } from "./factor-keypair.ts";
import {
  createPayload,
  newManifestHash,
  newUser,
  randomBytes,
  recovered,
  replacedContent,
  signed,
  solved,
  type User,
  userWithBackup,
} from "./users.ts";
import { createSpellableKeypair } from "./wrong-keypair-proofs.ts";

/** Every operation whose challenge a keypair can solve, the account key of reset included. */
export const KEYPAIR_OPERATIONS: readonly KeypairSolvable[] = ["create", ...namesOf(keypairChallenges)];

function namesOf<T extends object>(value: T): (keyof T)[] {
  return Object.keys(value) as (keyof T)[];
}

/** `authorization` and `challengeToken`, under whatever names the call gives them. */
export interface Proof {
  readonly authorization: unknown;
  readonly challengeToken: unknown;
}

/** The user that makes the call. */
export interface Caller {
  readonly user: User;
  /** The key that the call is authorised with. */
  readonly keypair: FactorKeypair;
  /** What the challenge is bound to. */
  readonly bound: RequestBody;
  /** Makes the call with this proof; all else about it is right. */
  send(proof: Proof): Promise<ApiResponse<unknown>>;
}

export interface ProvenCall {
  readonly name: string;
  readonly operation: KeypairSolvable;
  prepare(client: ApiClient): Promise<Caller>;
}

/** A call by a factor that is on a backup. */
export interface FactorCall extends ProvenCall {
  readonly scope: "MAIN" | "SYNC";
  prepare(client: ApiClient, user?: User): Promise<Caller>;
}

/** A valid proof for a caller. */
export function proofOf(client: ApiClient, { operation }: ProvenCall, caller: Caller) {
  return solved(client, operation, caller.keypair, caller.bound);
}

/** A user with a backup whose keys and signatures base64url encodes differently. */
async function urlUnsafeUser(client: ApiClient): Promise<User> {
  return userWithBackup(client, urlUnsafe(newUser()));
}

function urlUnsafe(user: User): User {
  return { ...user, main: createSpellableKeypair(), sync: createSpellableKeypair() };
}

function factorCall(
  operation: KeypairSolvable,
  scope: "MAIN" | "SYNC",
  send: (client: ApiClient, proof: Proof, user: User) => Promise<ApiResponse<unknown>>,
): FactorCall {
  return {
    name: operation,
    operation,
    scope,
    async prepare(client, given) {
      const user = given ?? (await urlUnsafeUser(client));
      return {
        user,
        keypair: scope === "MAIN" ? user.main : user.sync,
        bound: {},
        send: (proof) => send(client, proof, user),
      };
    },
  };
}

export const retrieveCall = factorCall("retrieve", "MAIN", (client, proof) => client.retrieve({ ...proof }));
export const verifyFactorCall = factorCall("verify-factor", "MAIN", (client, proof) =>
  client.verifyFactor({ ...proof }),
);
export const retrieveMetadataCall = factorCall("retrieve-metadata", "SYNC", (client, proof) =>
  client.retrieveMetadata({ ...proof }),
);
export const listEventsCall = factorCall("events", "SYNC", (client, proof) =>
  client.listEvents({ ...proof }),
);
export const deleteBackupCall = factorCall("delete-backup", "SYNC", (client, proof) =>
  client.deleteBackup({ ...proof }),
);
export const syncCall = factorCall("sync", "SYNC", (client, proof, { manifestHash }) =>
  client.sync(
    { ...proof, currentManifestHash: manifestHash, newManifestHash: newManifestHash() },
    randomBytes(50),
  ),
);

/** Restores the content that the user had before a sync. */
export const restoreVersionCall: FactorCall = {
  name: "restore-version",
  operation: "restore-version",
  scope: "SYNC",
  async prepare(client, given) {
    const { user, versionId } = await replacedContent(client, given ?? (await urlUnsafeUser(client)));
    return {
      user,
      keypair: user.sync,
      bound: { versionId },
      send: (proof) => client.restoreVersion({ ...proof, versionId, currentManifestHash: user.manifestHash }),
    };
  },
};

/** Removes a second sync factor. */
export const deleteFactorCall: FactorCall = {
  name: "delete-factor",
  operation: "delete-factor",
  scope: "SYNC",
  async prepare(client, given) {
    const user = given ?? (await urlUnsafeUser(client));
    const factorId = await addedSyncFactor(client, user);
    return {
      user,
      keypair: user.sync,
      bound: { factorId },
      send: (proof) => client.deleteFactor({ ...proof, factorId, scope: "SYNC" }),
    };
  },
};

/** Puts another sync factor on a user's backup and returns its id. */
export async function addedSyncFactor(
  client: ApiClient,
  user: User,
  keypair = createSpellableKeypair(),
): Promise<string> {
  const { syncFactorToken } = await recovered(client, user);
  const { authorization, challengeToken } = await solved(client, "add-sync-factor", keypair);
  (await client.addSyncFactor({ syncFactor: authorization, challengeToken, syncFactorToken })).ok();
  const { syncFactors } = (await recovered(client, user)).metadata;
  const added = syncFactors.find(({ kind }) => "publicKey" in kind && kind.publicKey === keypair.publicKey);
  if (added === undefined) throw new Error("the added factor is not listed");
  return added.id;
}

export const addSyncFactorCall: ProvenCall = {
  name: "add-sync-factor",
  operation: "add-sync-factor",
  async prepare(client) {
    const user = await urlUnsafeUser(client);
    const { syncFactorToken } = await recovered(client, user);
    return {
      user,
      keypair: createSpellableKeypair(),
      bound: {},
      send: ({ authorization, challengeToken }) =>
        client.addSyncFactor({ syncFactor: authorization, challengeToken, syncFactorToken }),
    };
  },
};

export const createMainCall: ProvenCall = {
  name: "create, main factor",
  operation: "create",
  async prepare(client) {
    const user = urlUnsafe(newUser());
    return {
      user,
      keypair: user.main,
      bound: {},
      send: async (proof) => client.create({ ...(await createPayload(client, user)), ...proof }, user.backup),
    };
  },
};

export const createSyncCall: ProvenCall = {
  name: "create, sync factor",
  operation: "create",
  async prepare(client) {
    const user = urlUnsafe(newUser());
    return {
      user,
      keypair: user.sync,
      bound: {},
      send: async ({ authorization, challengeToken }) =>
        client.create(
          {
            ...(await createPayload(client, user)),
            initialSyncFactor: authorization,
            initialSyncChallengeToken: challengeToken,
          },
          user.backup,
        ),
    };
  },
};

/** A proof with a challenge of the test's own making, under a token that `issue` makes. */
export async function proofUnder(
  issue: (challenge: Uint8Array) => Promise<string>,
  { keypair }: Caller,
): Promise<Proof> {
  const challenge = randomBytes(32);
  return {
    authorization: signed(keypair, Buffer.from(challenge).toString("base64")),
    challengeToken: await issue(challenge),
  };
}
