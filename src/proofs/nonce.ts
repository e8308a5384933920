/** A value for one use. Whoever consumes it has to remember `id` until `expiresAtMs`; later it is refused anyway. */
export interface Nonce {
  readonly id: string;
  readonly expiresAtMs: number;
}
