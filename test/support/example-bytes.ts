/** What is random elsewhere and known in the examples of the API reference. */

/** The key of their challenge tokens. */
export const EXAMPLE_TOKEN_KEY = { kid: "example", secret: Buffer.alloc(32, 7) };

/** The bytes that their service draws: the first of a length are 00 01 02 …, the next ones go on from there. */
export function exampleBytes(length: number, index: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => index * length + at);
}
