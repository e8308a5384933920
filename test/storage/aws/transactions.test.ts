/** What is known of a change after the responses of DynamoDB to it, and which requests it takes. */
import { afterAll, describe, expect, test } from "bun:test";
import { systemRandom } from "../../../src/runtime/clock.ts";
import type { Step } from "../../../src/storage/aws/changes.ts";
import { createDynamoDbClient, createDynamoDbSender } from "../../../src/storage/aws/clients.ts";
import { transact } from "../../../src/storage/aws/transactions.ts";
import { ChangeRefused, NotCommitted, StorageUnavailable } from "../../../src/storage/contract.ts";
import { cancelledTransaction, dynamoDbAnswer, dynamoDbError } from "../../support/dynamodb-proxy.ts";
import type { ProxyAnswer } from "../../support/fault-proxy.ts";
import { scriptedAws } from "../../support/scripted-aws.ts";
import { SettableClock } from "../../support/settable-clock.ts";

const RETRY = { attemptMs: 60_000, firstPauseMs: 0, maxPauseMs: 0 };
const MINUTE_MS = 60_000;

const DONE = dynamoDbAnswer(200, {});
const LOST = dynamoDbError(500, "InternalServerError");
const THROTTLED = dynamoDbError(400, "ThrottlingException");
const FORBIDDEN = dynamoDbError(400, "AccessDeniedException");
const WRONG = dynamoDbError(400, "ValidationException");
const FAILED = dynamoDbError(400, "ConditionalCheckFailedException");
const [OK, CONFLICT] = ["None", "ConditionalCheckFailed"];

const REPLACED = "an earlier attempt may be what the change conflicts with";
const LATE = "an earlier attempt may arrive when there is no conflict any more";

const aws = await scriptedAws();
const client = createDynamoDbSender(createDynamoDbClient(aws.config), aws.config);
afterAll(() => client.destroy());

const step = (otherwise: Step["otherwise"], isReplaceable?: boolean): Step => {
  const put = { TableName: "table", Item: { PK: { S: otherwise } } };
  return {
    write: { Put: put },
    otherwise,
    ...(isReplaceable !== undefined && { alone: { put, isReplaceable } }),
  };
};

interface Situation {
  /** One for each request. Further ones are refused. */
  readonly responses: readonly ProxyAnswer[];
  /** How much time passes before the first response. */
  readonly passesMs?: number;
  /** Nothing is sent again where it is 0. */
  readonly budgetMs?: number;
  readonly beforeSending?: () => void;
}

/** The conflicts of the steps that failed, or what is thrown. */
async function outcomeOf(
  steps: readonly Step[],
  { responses, passesMs = 0, budgetMs = 60_000, beforeSending = () => {} }: Situation,
): Promise<unknown> {
  aws.seen.length = 0;
  const clock = new SettableClock();
  aws.respond = (response) => {
    if (aws.seen.length === 1) clock.advance(passesMs);
    const { status, body } = responses[aws.seen.length - 1] ?? FORBIDDEN;
    response.writeHead(status).end(body);
  };
  const retry = { ...RETRY, budgetMs };
  const outcome = transact(client, steps, beforeSending, { clock, random: systemRandom, retry });
  return outcome.then(
    (failed) => failed.map(({ otherwise }) => otherwise),
    (error: unknown) => error,
  );
}

/** As {@link outcomeOf}, where the outcome is not known. */
async function expectDoubt(
  steps: readonly Step[],
  situation: Situation,
  ...because: readonly string[]
): Promise<void> {
  const outcome = await outcomeOf(steps, situation);
  expect(outcome).toBeInstanceOf(StorageUnavailable);
  expect(outcome).not.toBeInstanceOf(NotCommitted);
  expect(causesOf(outcome)).toEqual(["the change could not be stored", ...because]);
}

const operations = () => aws.seen.map(({ operation }) => operation);
const tokens = () => aws.seen.map(({ body }): unknown => JSON.parse(body).ClientRequestToken);

const causesOf = (error: unknown): string[] =>
  error instanceof Error ? [error.message, ...causesOf(error.cause)] : [];

describe("the requests", () => {
  test("are none where there is nothing to write", async () => {
    expect(await outcomeOf([], { responses: [DONE] })).toEqual([]);
    expect(aws.seen).toEqual([]);
  });

  test("are a write where one step can be made alone, and a transaction otherwise", async () => {
    for (const [steps, operation] of [
      [[step("consumed", false)], "PutItem"],
      [[step("exists")], "TransactWriteItems"],
      [[step("consumed", false), step("revision", true)], "TransactWriteItems"],
    ] as const) {
      expect(await outcomeOf(steps, { responses: [DONE] })).toEqual([]);
      expect(operations()).toEqual([operation]);
    }
  });

  test("have one token for all attempts of a change, and another for the next change", async () => {
    await outcomeOf([step("exists")], { responses: [LOST, LOST, DONE] });
    const [first, ...others] = tokens();
    expect(first).toBeString();
    expect(others).toEqual([first, first]);
    await outcomeOf([step("exists")], { responses: [DONE] });
    expect(tokens()).not.toEqual([first]);
  });

  test("name the writes in their order, and are sent after it was checked that there is time", async () => {
    let sent = -1;
    const beforeSending = () => {
      sent = aws.seen.length;
    };
    await outcomeOf([step("exists"), step("consumed")], { responses: [DONE], beforeSending });
    expect(sent).toBe(0);
    const keys = JSON.parse(aws.seen[0]?.body ?? "").TransactItems.map(
      ({ Put }: { Put: { Item: object } }) => Put.Item,
    );
    expect(keys).toEqual([{ PK: { S: "exists" } }, { PK: { S: "consumed" } }]);
  });
});

describe("of a cancelled transaction", () => {
  const steps = [step("exists"), step("consumed"), step("factor-claimed")];

  test("the steps whose condition failed are returned", async () => {
    const responses = [cancelledTransaction(CONFLICT, OK, CONFLICT)];
    expect(await outcomeOf(steps, { responses })).toEqual(["exists", "factor-claimed"]);
    expect(aws.seen).toHaveLength(1);
    const withoutCode = { responses: [cancelledTransaction(CONFLICT, undefined, OK)] };
    expect(await outcomeOf(steps, withoutCode)).toEqual(["exists"]);
  });

  test.each([
    ["a conflict with another transaction", cancelledTransaction(CONFLICT, OK, "TransactionConflict")],
    ["throttling", cancelledTransaction("ThrottlingError", OK, CONFLICT)],
    ["no reason", cancelledTransaction(OK, OK, OK)],
    ["a reason without a code", cancelledTransaction(undefined, OK, OK)],
    ["no list of reasons", dynamoDbError(400, "TransactionCanceledException")],
  ])("%s may have hidden other conflicts, so it is sent again", async (_name, cancelled) => {
    const responses = [cancelled, cancelledTransaction(OK, CONFLICT, OK)];
    expect(await outcomeOf(steps, { responses })).toEqual(["consumed"]);
    expect(await outcomeOf(steps, { responses: [cancelled], budgetMs: 0 })).toBeInstanceOf(NotCommitted);
  });

  test("a consumed nonce is the conflict, whatever else is the reason", async () => {
    const responses = [cancelledTransaction("TransactionConflict", CONFLICT, "ValidationError")];
    expect(await outcomeOf(steps, { responses })).toEqual(["consumed"]);
  });

  test("a step that is refused for good refuses the change, with the reasons but without conflicts", async () => {
    const cancelled = cancelledTransaction(CONFLICT, "ValidationError", "ThrottlingError");
    const refusal = await outcomeOf(steps, { responses: [cancelled] });
    expect(refusal).toBeInstanceOf(ChangeRefused);
    expect(causesOf(refusal)).toEqual([
      "DynamoDB refuses the change: ValidationError, ThrottlingError",
      "TransactionCanceledException",
    ]);
  });
});

describe("a conflict", () => {
  test("of a write without a transaction is that of its step", async () => {
    expect(await outcomeOf([step("revision", true)], { responses: [FAILED] })).toEqual(["revision"]);
    expect(await outcomeOf([step("consumed", false)], { responses: [FAILED] })).toEqual(["consumed"]);
  });

  test("after a lost response may be with an earlier attempt where others replace what it wrote", async () => {
    const responses = [LOST, FAILED];
    await expectDoubt([step("revision", true)], { responses }, REPLACED);
    expect(await outcomeOf([step("revision", true)], { responses: [LOST, DONE] })).toEqual([]);
    const passesMs = 60 * MINUTE_MS; // the write recognises its earlier attempt at any time
    expect(await outcomeOf([step("consumed", false)], { responses, passesMs })).toEqual(["consumed"]);
  });

  test("of a transaction may be with its earlier attempt once DynamoDB has forgotten the token", async () => {
    const steps = [step("revision"), step("consumed")];
    const responses = [LOST, cancelledTransaction(CONFLICT, OK)];
    expect(await outcomeOf(steps, { responses, passesMs: 8 * MINUTE_MS })).toEqual(["revision"]);
    const forgotten = { responses, passesMs: 10 * MINUTE_MS };
    await expectDoubt(steps, forgotten, REPLACED);
    expect(await outcomeOf(steps, { responses: [LOST, DONE], passesMs: 10 * MINUTE_MS })).toEqual([]);
    const certain = { responses: [THROTTLED, ...responses.slice(1)], passesMs: 10 * MINUTE_MS };
    expect(await outcomeOf(steps, certain)).toEqual(["revision"]);
  });

  test.each([
    [["exists"], true],
    [["factor-claimed"], true],
    [["exists", "factor-claimed"], true],
    [["revision"], false],
    [["not-kept"], false],
    [["consumed"], false],
    [["consumed", "exists"], false],
    [["revision", "factor-claimed"], false],
    [["not-kept", "factor-claimed"], false],
    [["not-ours"], false],
    [["issued"], false],
  ] as const)("(%j) that may pass while an earlier attempt is under way: %p", async (conflicts, mayPass) => {
    const steps = conflicts.map((conflict) => step(conflict));
    const conflict = cancelledTransaction(...conflicts.map(() => CONFLICT));
    expect(await outcomeOf(steps, { responses: [THROTTLED, conflict] })).toEqual([...conflicts]);
    const responses = [LOST, conflict];
    if (mayPass) await expectDoubt(steps, { responses }, LATE);
    else expect(await outcomeOf(steps, { responses })).toEqual([...conflicts]);
  });
});

describe("an outage", () => {
  const steps = [step("exists")];

  test("with a response that says so has changed nothing, and names the reason", async () => {
    for (const responses of [[FORBIDDEN], [THROTTLED, FORBIDDEN]]) {
      const outcome = await outcomeOf(steps, { responses });
      expect(outcome).toBeInstanceOf(NotCommitted);
      expect(causesOf(outcome).slice(0, 2)).toEqual([
        "the change could not be stored",
        "the credentials are missing, wrong or lack a permission (AccessDeniedException)",
      ]);
    }
  });

  test("without a response, or after one that was lost, may have changed something", async () => {
    for (const situation of [{ responses: [LOST], budgetMs: 0 }, { responses: [LOST, FORBIDDEN] }]) {
      const outcome = await outcomeOf(steps, situation);
      expect(outcome).toBeInstanceOf(StorageUnavailable);
      expect(outcome).not.toBeInstanceOf(NotCommitted);
    }
  });

  test("that comes with no time left for the change is passed on unless an attempt is in doubt", async () => {
    const late = new NotCommitted("late");
    const beforeSending = () => {
      if (aws.seen.length > 0) throw late;
    };
    const tooLate = () => {
      throw late;
    };
    expect(await outcomeOf(steps, { responses: [DONE], beforeSending: tooLate })).toBe(late);
    expect(await outcomeOf(steps, { responses: [THROTTLED], beforeSending })).toBe(late);
    const lost = { responses: [LOST], beforeSending };
    await expectDoubt(steps, lost, "late");
    expect(aws.seen).toHaveLength(1);
  });

  test("is not what DynamoDB refuses for good", async () => {
    const refusal = await outcomeOf(steps, { responses: [WRONG] });
    expect(refusal).toBeInstanceOf(ChangeRefused);
    expect(causesOf(refusal)).toEqual(["DynamoDB refuses the change", "ValidationException"]);
    expect(aws.seen).toHaveLength(1);
  });
});
