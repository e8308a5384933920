/** What DynamoDB, and the way to it, may do to a request. */
import type { Fault, ProxyAnswer } from "./fault-proxy.ts";

/** An answer of DynamoDB. */
export function dynamoDbAnswer(status: number, body: object): ProxyAnswer {
  return { status, contentType: "application/x-amz-json-1.0", body: JSON.stringify(body) };
}

/** An error of DynamoDB by its name. */
export function dynamoDbError(status: number, name: string, members: object = {}): ProxyAnswer {
  const type = `com.amazonaws.dynamodb.v20120810#${name}`;
  return dynamoDbAnswer(status, { __type: type, message: name, ...members });
}

/** A cancelled transaction; `codes` has the reason of each of its steps, `undefined` where its code is left out. */
export function cancelledTransaction(...codes: (string | undefined)[]): ProxyAnswer {
  return dynamoDbError(400, "TransactionCanceledException", {
    CancellationReasons: codes.map((code) => ({ Code: code })),
  });
}

/** A signature of another time, as DynamoDB words it: a wrong secret key has the same name. */
export const SIGNATURE_EXPIRED = dynamoDbError(400, "InvalidSignatureException", {
  message: "Signature expired: 20261125T210000Z is now earlier than 20261125T211500Z",
});

const NOT_JSON: ProxyAnswer = { status: 200, contentType: "text/html", body: "<html>captive portal</html>" };
const BAD_GATEWAY: ProxyAnswer = { status: 502, contentType: "text/html", body: "<html>502</html>" };

/** Faults that any request may meet. */
export const DYNAMODB_FAULTS: Readonly<Record<string, Fault>> = {
  "an internal error": { kind: "refuse", answer: dynamoDbError(500, "InternalServerError") },
  "throttling of the table": {
    kind: "refuse",
    answer: dynamoDbError(400, "ProvisionedThroughputExceededException"),
  },
  "throttling of the account": { kind: "refuse", answer: dynamoDbError(400, "ThrottlingException") },
  "a bad gateway": { kind: "refuse", answer: BAD_GATEWAY },
  "an internal error after the request was done": {
    kind: "misreport",
    answer: dynamoDbError(500, "InternalServerError"),
  },
  "an answer that is not DynamoDB's": { kind: "misreport", answer: NOT_JSON },
  "a connection closed before the request": { kind: "drop request" },
  "a connection closed before the answer": { kind: "drop answer" },
  "an answer cut off": { kind: "cut answer" },
  "an answer that stands still": { kind: "stall answer" },
  "a clock 20 minutes ahead": { kind: "clock", aheadMs: 20 * 60_000, refusal: SIGNATURE_EXPIRED },
  "a clock 20 minutes behind": { kind: "clock", aheadMs: -20 * 60_000, refusal: SIGNATURE_EXPIRED },
  "a long delay": { kind: "delay", ms: 200 },
};

/** Faults that only a transaction may meet, or a write beside one. */
export const TRANSACTION_FAULTS: Readonly<Record<string, Fault>> = {
  "a conflict of a write with a transaction": {
    kind: "refuse",
    answer: dynamoDbError(400, "TransactionConflictException"),
  },
  "a conflict with another transaction": {
    kind: "refuse",
    answer: cancelledTransaction("TransactionConflict", "None"),
  },
  "a throttled step": { kind: "refuse", answer: cancelledTransaction("None", "ThrottlingError") },
  "a transaction that is still in progress": {
    kind: "refuse",
    answer: dynamoDbError(400, "TransactionInProgressException"),
  },
  "a transaction that is done and reported as in progress": {
    kind: "misreport",
    answer: dynamoDbError(400, "TransactionInProgressException"),
  },
};
