/** Main factors of every kind as a device has them, and the requests they make: valid ones, for tests to change. */
import { afterAll } from "bun:test";
import { maskedEmail } from "../../src/proofs/identity/masked-email.ts";
import { type FactorRef, factorKeys } from "../../src/storage/contract.ts";
import type { Driver } from "../drivers.ts";
import type { ExistingKind } from "./additions.ts";
import type { ApiClient, ApiResponse, RequestBody } from "./api-client.ts";
import { createFactorKeypair, type FactorKeypair } from "./factor-keypair.ts";
import { type IdTokenOptions, OidcIssuer } from "./oidc-issuer.ts";
import type { TestServiceOptions } from "./service.ts";
import { sharedService } from "./shared-service.ts";
import {
  type AuthenticatorOptions,
  type RegistrationTweaks,
  SoftwareAuthenticator,
  type Tweaks,
} from "./software-authenticator.ts";
import { newUser, signed, solved, type User } from "./users.ts";

/** What a challenge endpoint hands out: base64 of bytes to sign, or WebAuthn options. */
export type ChallengeValue = string | { readonly publicKey: { readonly challenge: string } };

/** The member `authorization` of a request. */
export type AuthorizationBody = { readonly kind: string } & RequestBody;

export interface EncryptionKeyBody extends RequestBody {
  readonly kind: string;
}

/** A factor about to be registered: what it is announced as, and its answer to the challenge. */
export interface Ceremony {
  /** The member `newFactor` of a request for the challenges of add-factor. */
  readonly newFactor: RequestBody;
  answer(challenge: ChallengeValue): AuthorizationBody;
}

/** A main factor in a user's hand. */
export interface MainFactor {
  readonly kind: "PASSKEY" | "OIDC_ACCOUNT" | "EC_KEYPAIR";
  readonly name: string;
  readonly challengeType: "passkey" | "keypair";
  /** Its row in the index. */
  readonly ref: FactorRef;
  /** How it agrees to another factor, unless it stamps a Turnkey activity instead. */
  readonly existingKind: ExistingKind;
  /** What exported metadata names it by: the credential id, the masked address or the public key. */
  readonly shown: string;
  /** The encryption key that goes with its kind. */
  readonly encryptionKey: EncryptionKeyBody;
  register(): Ceremony;
  /** Solves a challenge, once it is registered. */
  prove(challenge: ChallengeValue): AuthorizationBody;
  /** As {@link prove}, with a signature that does not verify: by another key, or altered. */
  proveWrongly(how: "wrong key" | "tampered signature", challenge: ChallengeValue): AuthorizationBody;
}

export interface Passkey extends MainFactor {
  readonly kind: "PASSKEY";
  readonly authenticator: SoftwareAuthenticator;
  registerWith(challenge: ChallengeValue, tweaks: RegistrationTweaks): AuthorizationBody;
  proveWith(challenge: ChallengeValue, tweaks: Tweaks): AuthorizationBody;
}

export interface Account extends MainFactor {
  readonly kind: "OIDC_ACCOUNT";
  readonly sub: string;
  readonly email: string;
  /** The authorization with a key and an id_token as given; the usual ones where not. */
  authorize(challenge: ChallengeValue, options?: AccountOptions): AuthorizationBody;
}

export interface AccountOptions extends IdTokenOptions {
  readonly keypair?: FactorKeypair;
  /** Signs with another key than the id_token names. */
  readonly signer?: FactorKeypair;
  /** Instead of a fresh one. */
  readonly token?: string;
  /** For Apple: the client id that the request names. */
  readonly aud?: string | null;
}

export interface Keypair extends MainFactor {
  readonly kind: "EC_KEYPAIR";
  readonly keypair: FactorKeypair;
}

export const PRF = { kind: "PRF", encryptedKey: "UFJG" };
export const ICLOUD = { kind: "ICLOUD", encryptedKey: "SUNMT1VE" };
export const TURNKEY = {
  kind: "TURNKEY",
  encryptedKey: "VFVSTktFWQ==",
  turnkeyAccountId: "17d89304-c865-4485-ba45-277a5f2076af",
  turnkeyUserId: "d9620d04-e928-4ada-941c-beb2f17e968c",
  turnkeyPrivateKeyId: "a5fd4a52-9da9-4b0a-8a5c-2c8e6d9b3f10",
};
const ORIGIN = "http://localhost:8000";
export const TURNKEY_PROVIDER_ID = "turnkey-provider-1";

export function newPasskey(options: AuthenticatorOptions = {}): Passkey {
  const authenticator = new SoftwareAuthenticator({ rpId: "localhost", origin: ORIGIN, ...options });
  const credentialId = authenticator.credentialId.toString("base64url");
  const registerWith = (challenge: ChallengeValue, tweaks: RegistrationTweaks) => ({
    kind: "PASSKEY",
    credential: authenticator.register(optionsOf(challenge), tweaks),
    label: "My phone",
  });
  const proveWith = (challenge: ChallengeValue, tweaks: Tweaks) => ({
    kind: "PASSKEY",
    credential: authenticator.assert(optionsOf(challenge), tweaks),
  });
  return {
    kind: "PASSKEY",
    name: `passkey ${authenticator.algorithm}`,
    challengeType: "passkey",
    ref: { scope: "MAIN", key: factorKeys.passkey(credentialId) },
    existingKind: "PASSKEY_ASSERTION",
    shown: credentialId,
    encryptionKey: PRF,
    authenticator,
    registerWith,
    proveWith,
    register: () => ({
      newFactor: { kind: "PASSKEY_REGISTRATION", platform: "IOS", name: "ada", displayName: "Ada" },
      answer: (challenge) => registerWith(challenge, {}),
    }),
    prove: (challenge) => proveWith(challenge, {}),
    proveWrongly(how, challenge) {
      if (how === "wrong key") return proveWith(challenge, { wrongKey: true });
      const credential = authenticator.assert(optionsOf(challenge));
      const signature = flipped(credential.response.signature, "base64url");
      return {
        kind: "PASSKEY",
        credential: { ...credential, response: { ...credential.response, signature } },
      };
    },
  };
}

/** @param kept the subject and address of an account that there is; without it a new one is made. */
export function newAccount(
  provider: "GOOGLE" | "APPLE",
  issuer: OidcIssuer,
  kept?: Pick<Account, "sub" | "email">,
): Account {
  const { sub = `subject-${crypto.randomUUID()}`, email = `${crypto.randomUUID()}@mail.example.com` } =
    kept ?? {};
  const config = provider === "GOOGLE" ? issuer.config.google : issuer.config.apple;
  function authorize(challenge: ChallengeValue, options: AccountOptions = {}) {
    const { keypair = createFactorKeypair(), signer = keypair, token, aud, ...signing } = options;
    const { claims } = signing;
    const { publicKey } = keypair;
    const idToken =
      token ?? issuer.token(provider, publicKey, { ...signing, claims: { sub, email, ...claims } });
    return {
      kind: "OIDC_ACCOUNT",
      oidcToken: { kind: provider, token: idToken, ...(aud === undefined ? {} : { aud }) },
      publicKey,
      signature: signer.sign(textOf(challenge)),
    };
  }
  return {
    kind: "OIDC_ACCOUNT",
    name: provider,
    challengeType: "keypair",
    ref: { scope: "MAIN", key: factorKeys.oidcAccount(config?.issuer ?? "", sub) },
    existingKind: "OIDC_ACCOUNT",
    shown: maskedEmail(email),
    encryptionKey: TURNKEY,
    sub,
    email,
    authorize,
    register() {
      const keypair = createFactorKeypair();
      const token = issuer.token(provider, keypair.publicKey, { claims: { sub, email } });
      return {
        newFactor: { kind: "OIDC_ACCOUNT", oidcToken: token },
        answer: (challenge) => authorize(challenge, { keypair, token }),
      };
    },
    prove: (challenge) => authorize(challenge),
    proveWrongly(how, challenge) {
      if (how === "wrong key") return authorize(challenge, { signer: createFactorKeypair() });
      const authorization = authorize(challenge);
      return { ...authorization, signature: flipped(authorization.signature, "base64") };
    },
  };
}

export function newKeypair(keypair = createFactorKeypair(), scope: FactorRef["scope"] = "MAIN"): Keypair {
  const prove = (challenge: ChallengeValue) => signed(keypair, textOf(challenge));
  return {
    kind: "EC_KEYPAIR",
    name: "keypair",
    challengeType: "keypair",
    ref: { scope, key: factorKeys.ecKeypair(keypair.publicKey) },
    existingKind: "EC_KEYPAIR",
    shown: keypair.publicKey,
    encryptionKey: ICLOUD,
    keypair,
    register: () => ({
      newFactor: { kind: "EC_KEYPAIR", publicKey: keypair.publicKey },
      answer: prove,
    }),
    prove,
    proveWrongly(how, challenge) {
      const { signature } = signed(how === "wrong key" ? createFactorKeypair() : keypair, textOf(challenge));
      const { publicKey } = keypair;
      return {
        kind: "EC_KEYPAIR",
        publicKey,
        signature: how === "wrong key" ? signature : flipped(signature, "base64"),
      };
    },
  };
}

/** A user whose first main factor is of any kind. */
export interface FactorUser extends Omit<User, "main"> {
  readonly main: MainFactor;
}

export function newFactorUser<T extends MainFactor>(main: T): FactorUser & { readonly main: T } {
  return { ...newUser(), main };
}

/** A challenge to create a backup with a factor of this type. */
export async function createChallenge(client: ApiClient, type: MainFactor["challengeType"]) {
  if (type === "keypair") return (await client.keypairChallenge("create")).ok();
  const body = { name: "ada@example.com", displayName: "Ada", platform: "IOS" };
  return (await client.passkeyChallenge("create", body)).ok();
}

/** The payload of a create; `answer` solves the challenge of the main factor. */
export async function createPayloadOf(
  client: ApiClient,
  user: FactorUser,
  answer = (challenge: ChallengeValue) => user.main.register().answer(challenge),
) {
  const { challenge, token } = await createChallenge(client, user.main.challengeType);
  const sync = await solved(client, "create", user.sync);
  return {
    authorization: answer(challenge),
    challengeToken: token,
    initialEncryptionKey: user.main.encryptionKey,
    initialSyncFactor: sync.authorization,
    initialSyncChallengeToken: sync.challengeToken,
    turnkeyProviderId: user.main.kind === "OIDC_ACCOUNT" ? TURNKEY_PROVIDER_ID : null,
    manifestHash: user.manifestHash,
    backupAccountId: user.account.backupAccountId,
  };
}

/** Puts a user's backup on the service. */
export async function created<T extends MainFactor>(
  client: ApiClient,
  main: T,
): Promise<FactorUser & { readonly main: T }> {
  const user = newFactorUser(main);
  (await client.create(await createPayloadOf(client, user), user.backup)).ok();
  return user;
}

export type MainOperation = "retrieve" | "verify-factor";
type Provable = MainOperation | "undelete";

/** A challenge for a factor of this type. */
async function mainChallenge(
  client: ApiClient,
  operation: Provable,
  type: MainFactor["challengeType"],
  bound: RequestBody,
): Promise<{ readonly challenge: ChallengeValue; readonly token: string }> {
  const answer =
    type === "passkey"
      ? client.passkeyChallenge(operation, bound)
      : client.keypairChallenge(operation, bound);
  return (await answer).ok();
}

/** `authorization` and `challengeToken` of a factor that has solved a challenge. */
export async function proven(
  client: ApiClient,
  operation: Provable,
  { challengeType, prove }: Pick<MainFactor, "challengeType" | "prove">,
  bound: RequestBody = {},
) {
  const { challenge, token } = await mainChallenge(client, operation, challengeType, bound);
  return { authorization: prove(challenge), challengeToken: token };
}

/** Recovers a backup. */
export async function recoveredBy(client: ApiClient, main: MainFactor) {
  return (await client.retrieve(await proven(client, "retrieve", main))).ok();
}

/** A request that brings back a deleted backup. */
export async function undeletionRequest(
  client: ApiClient,
  { account, main }: Pick<FactorUser, "account" | "main">,
) {
  const { backupAccountId: backupId } = account;
  return { ...(await proven(client, "undelete", main, { backupId })), backupId };
}

/** Brings back a deleted backup. */
export async function undeletion(client: ApiClient, user: Pick<FactorUser, "account" | "main">) {
  return client.undelete(await undeletionRequest(client, user));
}

/** Removes a factor on behalf of a sync factor. */
export async function removeFactor(
  client: ApiClient,
  sync: FactorKeypair,
  factorId: string,
  more: RequestBody = {},
): Promise<ApiResponse<{ readonly backupDeleted: boolean; readonly backupMetadata: unknown }>> {
  const proof = await solved(client, "delete-factor", sync, { factorId });
  return client.deleteFactor({ ...proof, factorId, scope: "MAIN", ...more });
}

/** A service that trusts an issuer of accounts, for all tests of a `describe`. */
export function factorService(driver: Driver, options: TestServiceOptions = {}) {
  const issuer = new OidcIssuer({ nowMs: () => service().clock.nowMs() });
  const service = sharedService(driver, { ...options, env: { ...issuer.env, ...options.env } });
  afterAll(() => issuer[Symbol.asyncDispose]());
  return { service, issuer };
}

/** What names a factor in metadata, exported or stored, as {@link MainFactor.shown}; `null` for anything else. */
export function shownIn(factor: unknown): unknown {
  const kind = memberOf(factor, "kind");
  return (
    memberOf(kind, "credentialId") ??
    memberOf(memberOf(kind, "account"), "maskedEmail") ??
    memberOf(kind, "publicKey")
  );
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (Reflect.get(value, name) ?? null) : null;
}

export function passkeyOf(factor: MainFactor): Passkey {
  if (!isPasskey(factor)) throw new Error(`${factor.name} is no passkey`);
  return factor;
}

export function isPasskey(factor: MainFactor): factor is Passkey {
  return factor.kind === "PASSKEY";
}

function optionsOf(challenge: ChallengeValue) {
  return typeof challenge === "string"
    ? { publicKey: { challenge: Buffer.from(challenge, "base64").toString("base64url") } }
    : challenge;
}

/** The bytes to sign, in base64. */
export function textOf(challenge: ChallengeValue): string {
  return typeof challenge === "string"
    ? challenge
    : Buffer.from(challenge.publicKey.challenge, "base64url").toString("base64");
}

/** The signature with its last byte changed. */
export function flipped(signature: unknown, encoding: "base64" | "base64url"): string {
  const bytes = Buffer.from(String(signature), encoding);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  return bytes.toString(encoding);
}
