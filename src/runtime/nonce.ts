/** A value that is accepted once. Its use is remembered until `expiresAtMs`; from then on it is refused anyway. */
export interface Nonce {
  readonly id: string;
  readonly expiresAtMs: number;
}
