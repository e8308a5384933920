/**
 * A request to one operation as a client sends it, word for word, and the response.
 *
 * All examples are about one backup with a main factor and the sync factors of a phone and a tablet, on a service whose
 * clock stands at 2026-01-15T12:00:00Z and whose random bytes count up from 00. The keys in the examples are nobody's: the
 * private keys are the numbers 1 to 4. A new example is signed with `bun test/support/sign-example.ts`.
 */
export interface Example {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** The JSON text of the body, or of the part `payload` of an upload; `null` where there is no body. */
  readonly request: string | null;
  /** The bytes of the part `backup`, as text. With this part the request is a multipart form, without it JSON. */
  readonly backup?: string;
  readonly status: 200 | 204;
  /** The JSON text of the response body; `null` where it is empty. */
  readonly response: string | null;
}
