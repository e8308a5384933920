import { type ErrorCode, ServiceError } from "../errors.ts";
import type { Nonce } from "../runtime/nonce.ts";

/** A failure that is reported as `already_used` where one of `nonces` was consumed before. */
export class PossibleReplay extends ServiceError {
  readonly nonces: readonly Nonce[];

  constructor(code: ErrorCode, message: string, nonces: readonly Nonce[]) {
    super(code, message);
    this.name = "PossibleReplay";
    this.nonces = nonces;
  }
}
