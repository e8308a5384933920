/**
 * The seed that the variable `SEED` gives, with which a run is repeated; `null` where it gives none.
 *
 * @throws Error when it is no whole number.
 */
export function givenSeed(): number | null {
  const { SEED } = process.env;
  if (SEED === undefined) return null;
  const seed = Number(SEED);
  if (!Number.isSafeInteger(seed)) throw new Error(`SEED must be a whole number, not ${SEED}`);
  return seed;
}
