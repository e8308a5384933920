/** Sends the request of each case of the table. */
import type { ApiResponse, RequestBody } from "../support/api-client.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import {
  type AuthorizationBody,
  type ChallengeValue,
  flipped,
  isPasskey,
  type MainFactor,
  newPasskey,
  textOf,
} from "../support/factors.ts";
import type { SettableClock } from "../support/settable-clock.ts";
import { challengeFor, challengeOfType, type Issued } from "./challenges.ts";
import { type Attempt, factorIn, newFactor } from "./factors.ts";
import { type Begun, begin, type Proof } from "./requests.ts";
import type { Case } from "./table.ts";

const MINUTE_MS = 60_000;

/** Tries all cases in their order and returns what each was answered. */
export async function outcomesOf(attempt: Attempt, cases: readonly Case[]) {
  const outcomes: unknown[] = [];
  let replay: (() => Promise<ApiResponse<unknown>>) | null = null;
  for (const one of cases) {
    let answer: ApiResponse<unknown>;
    if (one.condition === "replay") {
      if (replay === null) throw new Error("there is nothing to replay");
      answer = await replay();
    } else {
      const send = await prepared(attempt, one);
      if (one.condition === "valid") replay = send;
      answer = await send();
    }
    outcomes.push([one.condition, one.context, ...outcomeOf(answer)]);
  }
  return outcomes;
}

export function outcomeOf(answer: ApiResponse<unknown>): readonly [status: number, code: string] {
  return [answer.status, answer.status < 300 ? "done" : answer.code()];
}

/** Sends a request when its token has expired. */
export function sendExpired<T>(clock: SettableClock, send: () => Promise<T>): Promise<T> {
  clock.advance(15 * MINUTE_MS);
  return send();
}

/** Sends a request by a clock that is a minute behind the one that issued the token. */
export async function sendTooEarly<T>(clock: SettableClock, send: () => Promise<T>): Promise<T> {
  clock.advance(-MINUTE_MS);
  const answer = await send();
  clock.advance(MINUTE_MS);
  return answer;
}

/** The request of a case, ready to be sent. */
async function prepared(
  attempt: Attempt,
  { condition, context }: Case,
): Promise<() => Promise<ApiResponse<unknown>>> {
  const { service, issuer, row, name } = attempt;
  const factor = await factorIn(condition, attempt);
  const type = factor.challengeType;
  const begun = await begin(attempt, factor);
  const proofFor = ({ challenge, token }: Issued): Proof => ({
    ...begun.solve(challenge),
    challengeToken: token,
  });
  const proof = proofFor(begun);
  const sending =
    (changed: Proof, by = begun) =>
    () =>
      by.send(changed);
  switch (condition) {
    case "wrong context":
      return sending(proofFor(await challengeFor(service, context, type)));
    case "bound to another": {
      const id = crypto.randomUUID();
      const ids = { factorId: id, versionId: id, backupId: id };
      const elsewhere = await begin({ ...attempt, ids }, factor);
      return sending(proofFor(elsewhere));
    }
    case "wrong token type": {
      const otherType = type === "passkey" ? "keypair" : "passkey";
      return sending(proofFor(await challengeOfType(service, row.context, otherType)));
    }
    case "expired":
      return () => sendExpired(service.clock, sending(proof));
    case "not yet valid":
      return () => sendTooEarly(service.clock, sending(proof));
    case "wrong key":
    case "tampered signature":
      return sending({
        ...proof,
        authorization: wrongly(condition, proof, begun, factor, row.theirs === null),
      });
    case "swapped halves": {
      const other = row.theirs === null ? newFactor(name, row, issuer) : factor;
      return sending(proof, await begin(attempt, other));
    }
    default:
      return sending(proof);
  }
}

/** The authorization of a proof, with a signature that does not verify. */
function wrongly(
  how: "wrong key" | "tampered signature",
  { authorization }: Proof,
  { challenge }: Begun,
  factor: MainFactor,
  registers: boolean,
): AuthorizationBody {
  const isByWrongKey = how === "wrong key";
  if (!isPasskey(factor)) {
    const signature = isByWrongKey
      ? createFactorKeypair().sign(textOf(challenge))
      : flipped(authorization.signature, "base64");
    return { ...authorization, signature };
  }
  if (registers) {
    const given = factor.registerWith(challenge, { attestation: "self", wrongKey: isByWrongKey });
    return isByWrongKey
      ? given
      : withResponse(given, ({ clientDataJSON }) => ({ clientDataJSON: spaced(clientDataJSON) }));
  }
  return withResponse(authorization, ({ signature }) => ({
    signature: isByWrongKey ? signatureByAnother(challenge) : flipped(signature, "base64url"),
  }));
}

function signatureByAnother(challenge: ChallengeValue): unknown {
  return responseOf(newPasskey().prove(challenge)).signature;
}

/** JSON in base64url with a space behind it. */
function spaced(text: unknown): string {
  return Buffer.concat([Buffer.from(String(text), "base64url"), Buffer.from(" ")]).toString("base64url");
}

function responseOf({ credential }: AuthorizationBody): RequestBody {
  return (credential as { readonly response: RequestBody }).response;
}

function withResponse(
  authorization: AuthorizationBody,
  change: (response: RequestBody) => RequestBody,
): AuthorizationBody {
  const response = responseOf(authorization);
  const credential = {
    ...(authorization.credential as RequestBody),
    response: { ...response, ...change(response) },
  };
  return { ...authorization, credential };
}
