/** A client of the service's API with a method for each operation. Runs in browsers too. */
import type { Static, TSchema } from "@sinclair/typebox";
import {
  createChallenges,
  type KeypairSolvable,
  keypairChallenges,
  passkeyChallenges,
} from "../protocol/challenge-operations.ts";
import type { WireOperation } from "../protocol/operation.ts";
import { operations } from "../protocol/operations.ts";
import { type Callable, type Content, type ExchangeOptions, exchange, type ResponseTo } from "./exchange.ts";

const forKeypairs = { create: createChallenges.keypair, ...keypairChallenges };
const forPasskeys = { create: createChallenges.passkey, ...passkeyChallenges };

type Body<Operation extends WireOperation> = Static<Extract<Operation["request"], TSchema>>;

/** What a call takes: the body, which may be left out where it has no members; for an upload also the ciphertext. */
export type Sent<Operation extends WireOperation, Other> = Operation extends { readonly request: null }
  ? []
  : Operation extends { readonly isUpload: true }
    ? [payload: Body<Operation> | Other, ciphertext: Uint8Array]
    : Record<never, never> extends Body<Operation>
      ? [body?: Body<Operation> | Other]
      : [body: Body<Operation> | Other];

/** A method for each operation of a table, under its name there. */
type Calls<Operations extends Readonly<Record<string, WireOperation>>, Other> = {
  readonly [Name in keyof Operations]: (
    ...sent: Sent<Operations[Name], Other>
  ) => Promise<ResponseTo<Operations[Name]>>;
};

/** The members that are bound into the challenge of an operation. */
export type Bound<Name extends KeypairSolvable, Other = never> = Sent<(typeof forKeypairs)[Name], Other>;

/** @typeParam Other what may be sent instead of a valid body, as tests of refusals do. */
export interface ApiClient<Other = never> extends Calls<typeof operations, Other> {
  /** A challenge that a keypair solves for an operation. */
  keypairChallenge<Name extends KeypairSolvable>(
    operation: Name,
    ...bound: Bound<Name, Other>
  ): Promise<ResponseTo<(typeof forKeypairs)[Name]>>;
  /** A challenge that a passkey solves for an operation. */
  passkeyChallenge<Name extends keyof typeof forPasskeys>(
    operation: Name,
    ...body: Sent<(typeof forPasskeys)[Name], Other>
  ): Promise<ResponseTo<(typeof forPasskeys)[Name]>>;
  /** Sends any body to any operation. */
  send<Operation extends Callable>(
    operation: Operation,
    body?: unknown,
    ciphertext?: Uint8Array,
  ): Promise<ResponseTo<Operation>>;
  /** As {@link send}, with a body of bytes that the caller knows, such as one that an attestation is over. */
  exchange<Operation extends Callable>(
    operation: Operation,
    content?: Content,
  ): Promise<ResponseTo<Operation>>;
}

export function createApiClient<Other = never>(options: ExchangeOptions): ApiClient<Other> {
  function send<Operation extends Callable>(operation: Operation, body?: unknown, ciphertext?: Uint8Array) {
    if (body === undefined) return exchange(options, operation);
    const json = JSON.stringify(body);
    if (ciphertext === undefined) {
      const headers = { "content-type": "application/json" };
      return exchange(options, operation, { headers, body: json }, body);
    }
    const form = new FormData();
    form.append("payload", json);
    form.append("backup", new Blob([new Uint8Array(ciphertext)]), "backup.bin");
    return exchange(
      options,
      operation,
      { body: form },
      { payload: body, backup: `(${ciphertext.length} bytes)` },
    );
  }

  const calls: Record<string, unknown> = {};
  for (const [name, operation] of Object.entries(operations))
    calls[name] = (body?: unknown, ciphertext?: Uint8Array) => send(operation, body, ciphertext);
  return {
    ...(calls as Calls<typeof operations, Other>), // TypeScript does not follow the names through the loop
    keypairChallenge: (operation, ...[bound = {}]) => send(forKeypairs[operation], bound),
    passkeyChallenge: (operation, ...[body = {}]) => send(forPasskeys[operation], body),
    send,
    exchange: (operation, content) => exchange(options, operation, content),
  };
}
