/** Failures in words, with the code of the service where it refused. */
import {
  AttestationRefusedError,
  ConflictingLockError,
  ConnectionError,
  ManifestHashMismatchError,
  OutcomeUnknownError,
  PrfUnavailableError,
  RefusedError,
  TooManyRequestsError,
  UnknownFactorError,
} from "../client/index.ts";

/** Something that the page cannot do, in words for the user. */
export class PlaygroundError extends Error {
  override name = "PlaygroundError";
}

export interface Failure {
  /** `null` where the service did not refuse. */
  readonly code: string | null;
  readonly text: string;
}

const ADVICE = [
  [ManifestHashMismatchError, "Another device was faster. Fetch the text, then sync."],
  [UnknownFactorError, "It was removed, or the backup was deleted."],
  [ConflictingLockError, "Another device changed the backup at the same moment. Try again."],
  [TooManyRequestsError, "Wait a moment, then try again."],
  [AttestationRefusedError, "This service requires an app attestation, which a page cannot have."],
  [PrfUnavailableError, "The page encrypts with the secret of the passkey. Try another device, or a key."],
  [OutcomeUnknownError, "Does the service still run? Reload the page to see."],
  [ConnectionError, "Does the service still run? Then try again."],
] as const;

/** By code, where the class says less. */
const ADVICE_BY_CODE: Readonly<Record<string, string>> = {
  jwt_error: "A challenge is valid for 15 minutes. Try again.",
};

export function failureOf(error: unknown): Failure {
  const code = error instanceof RefusedError ? error.code : null;
  const [, byClass = ""] = ADVICE.find(([type]) => error instanceof type) ?? [];
  const advice = ADVICE_BY_CODE[code ?? ""] ?? byClass;
  return { code, text: [sentence(wordsOf(error, code)), advice].filter((part) => part !== "").join(" ") };
}

function wordsOf(error: unknown, code: string | null): string {
  if (!(error instanceof Error)) return String(error);
  if (code !== null) return error.message.slice(`${code}: `.length);
  if (error.name === "NotAllowedError") return "the passkey was not used: cancelled, or there is none here";
  if (error.name === "OperationError") return "the text cannot be decrypted with this key";
  return error.message;
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;
}
