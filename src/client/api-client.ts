/** A client of the service's API, one method per endpoint. The demo and the tests speak to the service through it. */
import type { Static, TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import {
  createChallenges,
  type KeypairSolvable,
  keypairChallenges,
  passkeyChallenges,
} from "../protocol/challenge-operations.ts";
import { ErrorBody } from "../protocol/error-body.ts";
import type { WireOperation } from "../protocol/operation.ts";
import { operations } from "../protocol/operations.ts";

/** A body as a client sends it: whatever it likes. */
export type RequestBody = Readonly<Record<string, unknown>>;

/** What came back, whatever it is; `ok` insists on success. */
export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  /** The body as JSON, or as text where it is none. */
  readonly body: unknown;
  /** The body of a successful answer. @throws AnswerError when it is none or not of the documented shape. */
  ok(): T;
  /** The code of an error answer. @throws AnswerError when it is none. */
  code(): string;
}

/** An answer is not what the caller insisted on. */
export class AnswerError extends Error {
  constructor(request: string, status: number, body: unknown, expected: string) {
    super(`${request} answered ${status} ${JSON.stringify(body)?.slice(0, 500)}, expected ${expected}`);
    this.name = "AnswerError";
  }
}

export interface ApiClientOptions {
  /** Base URL of the service. */
  readonly url: string;
  /** Sent with every request, such as `attestation-token`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sees each exchange; the demo prints them. */
  readonly onExchange?: (exchange: Exchange) => void;
}

export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly request: unknown;
  readonly status: number;
  readonly response: unknown;
}

export class ApiClient {
  readonly #options: ApiClientOptions;

  constructor(options: ApiClientOptions) {
    this.#options = options;
  }

  keypairChallenge(operation: KeypairSolvable, body: RequestBody = {}) {
    const { path, response } =
      operation === "create" ? createChallenges.keypair : keypairChallenges[operation];
    return this.post(path, body, response);
  }

  /** As {@link keypairChallenge} for `create`, with the challenge of the account key. */
  createKeypairChallenge() {
    return this.#send(createChallenges.keypair, {});
  }

  /** Options to make a passkey for a new backup. */
  createPasskeyChallenge(body: RequestBody) {
    return this.#send(createChallenges.passkey, body);
  }

  /** Options to use a passkey that is on a backup. */
  passkeyChallenge(operation: keyof typeof passkeyChallenges) {
    return this.#send(passkeyChallenges[operation], {});
  }

  create(payload: RequestBody, backup: Uint8Array) {
    const { path, response } = operations.create;
    return this.upload(path, payload, backup, response);
  }

  sync(payload: RequestBody, backup: Uint8Array) {
    const { path, response } = operations.sync;
    return this.upload(path, payload, backup, response);
  }

  retrieve(body: RequestBody) {
    return this.#send(operations.retrieve, body);
  }

  verifyFactor(body: RequestBody) {
    return this.#send(operations.verifyFactor, body);
  }

  addFactorChallenge(body: RequestBody) {
    return this.#send(operations.addFactorChallenge, body);
  }

  addFactor(body: RequestBody) {
    return this.#send(operations.addFactor, body);
  }

  addSyncFactor(body: RequestBody) {
    return this.#send(operations.addSyncFactor, body);
  }

  retrieveMetadata(body: RequestBody) {
    return this.#send(operations.retrieveMetadata, body);
  }

  deleteFactor(body: RequestBody) {
    return this.#send(operations.deleteFactor, body);
  }

  deleteBackup(body: RequestBody) {
    return this.post(operations.deleteBackup.path, body, null);
  }

  reset(body: RequestBody) {
    return this.post(operations.reset.path, body, null);
  }

  status(backupId: string) {
    return this.#send(operations.backupStatus, { backupId });
  }

  /** An id_token for a made-up account; in development only. */
  idToken(body: RequestBody) {
    return this.#send(operations.idToken, body);
  }

  health() {
    const { method, path, response } = operations.health;
    return this.exchange(method, path, undefined, {}, response);
  }

  #send<T extends TSchema>({ path, response }: WireOperation & { readonly response: T }, body: RequestBody) {
    return this.post(path, body, response);
  }

  /** Any JSON route. `schema` is the shape of its 200 answer, `null` for an empty 204. */
  post<T extends TSchema>(path: string, body: unknown, schema: T): Promise<Answer<Static<T>>>;
  post(path: string, body: unknown, schema: null): Promise<Answer<null>>;
  post(path: string, body: unknown, schema: TSchema | null): Promise<Answer<unknown>> {
    const init = { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    return this.exchange("POST", path, body, init, schema);
  }

  /** Any multipart route. */
  upload<T extends TSchema>(
    path: string,
    payload: unknown,
    backup: Uint8Array,
    schema: T,
  ): Promise<Answer<Static<T>>> {
    const form = new FormData();
    form.append("payload", JSON.stringify(payload));
    form.append("backup", new Blob([new Uint8Array(backup)]), "backup.bin");
    const shown = { payload, backup: `(${backup.length} bytes)` };
    return this.exchange("POST", path, shown, { body: form }, schema);
  }

  async exchange<T extends TSchema>(
    method: string,
    path: string,
    shown: unknown,
    init: Pick<BunFetchRequestInit, "body"> & { readonly headers?: Record<string, string> },
    schema: T | null,
  ): Promise<Answer<Static<T>>> {
    const { url, headers, onExchange } = this.#options;
    const response = await fetch(url + path, { method, ...init, headers: { ...headers, ...init.headers } });
    const { status } = response;
    const body = parsed(await response.text());
    onExchange?.({ method, path, request: shown, status, response: body });
    const request = `${method} ${path}`;
    return {
      status,
      headers: response.headers,
      body,
      ok() {
        if (schema === null && status === 204 && body === null) return null;
        if (schema !== null && status === 200 && Value.Check(schema, body)) return body;
        throw new AnswerError(request, status, body, schema === null ? "204" : "200 of the documented shape");
      },
      code() {
        if (Value.Check(ErrorBody, body)) return body.error.code;
        throw new AnswerError(request, status, body, "an error");
      },
    };
  }
}

function parsed(text: string): unknown {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return text; // shown and compared as it is
  }
}
