/** The secp256k1 key of an account, whose public key is in the id of its backup. */
export interface AccountKey {
  /** `backup_account_` and the 66 hex digits of the compressed point. */
  readonly backupAccountId: string;
  /** The DER form of an ECDSA signature with SHA-256 over the message, low s. */
  sign(message: Uint8Array): Promise<Uint8Array> | Uint8Array;
}
