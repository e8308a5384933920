/** The canonical form of a manifest hash or an encryption public key, in which it is stored and compared. */
export function normalizedHex(hex: string): string {
  return hex.replace(/^0x/, "").toLowerCase();
}

/** The canonical form of an optional member. */
export function normalizedHexOrNull(hex: string | null | undefined): string | null {
  return hex == null ? null : normalizedHex(hex);
}
