export const TITLE = "Backup Service";

/** The first page of the API reference. */
export const INTRODUCTION = `
Keeps backups of end-to-end-encrypted apps. A device uploads a ciphertext; *factors* decide who may fetch, update or
delete it. Main factors (passkey, Google or Apple account, P-256 keypair) recover and manage a backup, sync factors
(P-256 keypairs, one a device) update it. The service never has a key that decrypts anything.

Every authenticated call takes a challenge first: ask the challenge route of the operation, solve the challenge, and
send the proof together with the token that came with it. A challenge is valid for 15 minutes, one operation and one use;
a call that fails does not consume it. Only a call that ends with 408 (timeout) or 503 (a store did not respond) may have
taken effect; then the same request gets \`already_used\`.

The [guide](guide) shows how an app signs, what it does when something fails, and what to test.

Every error, from whatever layer, has the shape of \`ErrorBody\`. Statuses and codes are stable, messages are not; codes
may be added. \`ErrorCode\` says what each means and what an app does about it. Unknown members of requests are ignored,
and clients ignore unknown members of responses.

For tools that do not know OpenAPI 3.1, \`/openapi-3.0.json\` is the same document in the words of 3.0.
`.trim();
