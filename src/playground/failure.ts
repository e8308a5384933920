/** Failures in words, with the code of the service where it refused. */
import {
  AttestationRefusedError,
  ConnectionError,
  ManifestHashMismatchError,
  OutcomeUnknownError,
  PrfUnavailableError,
  RefusedError,
  TooManyRequestsError,
  UnknownFactorError,
} from "../client/index.ts";

export interface Failure {
  /** `null` where the service did not refuse. */
  readonly code: string | null;
  readonly text: string;
}

const ADVICE = [
  [ManifestHashMismatchError, "Another device was faster. Fetch the text, then sync."],
  [UnknownFactorError, "It was removed, or the backup was deleted."],
  [TooManyRequestsError, "Wait a moment, then try again."],
  [AttestationRefusedError, "This service requires an app attestation, which a page cannot have."],
  [PrfUnavailableError, "The page encrypts with the secret of the passkey. Try another device, or a key."],
  [OutcomeUnknownError, "The change may have taken effect. Reload the page."],
  [ConnectionError, "Does the service still run?"],
] as const;

export function failureOf(error: unknown): Failure {
  const [, advice = ""] = ADVICE.find(([type]) => error instanceof type) ?? [];
  const code = error instanceof RefusedError ? error.code : null;
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
