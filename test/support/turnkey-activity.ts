import { encodeBase64 } from "../../src/crypto/encoding.ts";

export interface TurnkeyActivityOptions {
  readonly challenge: Uint8Array;
  readonly organizationId: string;
  readonly nowMs: number;
}

/** The JSON text of a Turnkey activity that carries a challenge of ours. `undefined` among the overrides removes a member. */
export function turnkeyActivity(
  { challenge, organizationId, nowMs }: TurnkeyActivityOptions,
  overrides: Readonly<Record<string, unknown>> = {},
): string {
  return JSON.stringify({
    type: "ACTIVITY_TYPE_CREATE_API_KEYS_V2",
    timestampMs: String(nowMs),
    organizationId,
    parameters: { userId: "d9620d04-e928-4ada-941c-beb2f17e968c", apiKeys: [] },
    metadata: { challenge: encodeBase64(challenge) },
    ...overrides,
  });
}
