/** Which errors of AWS are worth another attempt, when it is made, and what is known of those before it. */
import { afterEach, beforeEach, describe, expect, jest, spyOn, test } from "bun:test";
import { DEFAULT_RETRY, TryAgain, withRetries } from "../../../src/storage/aws/retry.ts";
import { ChangeRefused, StorageUnavailable } from "../../../src/storage/contract.ts";

/** Long enough for two attempts: a pause is half of its limit. */
const POLICY = { budgetMs: 1_000, attemptMs: 70_000, firstPauseMs: 10, maxPauseMs: 35 };
const HALF = { bytes: () => Uint8Array.of(0x80, 0, 0, 0), uuid: () => "" };

let nowMs = 0;
let pauses: number[] = [];
/** The deadlines of attempts that are under way, by their timers. */
let deadlines = new Map<unknown, () => void>();

function startTimer(...[run, ms = 0]: Parameters<typeof setTimeout>): NodeJS.Timeout {
  const timer: NodeJS.Timeout = Object.create(null);
  const end = () => {
    nowMs += ms;
    run();
  };
  if (ms === POLICY.attemptMs) deadlines.set(timer, end);
  else {
    pauses.push(ms);
    queueMicrotask(end);
  }
  return timer;
}

beforeEach(() => {
  nowMs = 5_000;
  pauses = [];
  deadlines = new Map();
  spyOn(performance, "now").mockImplementation(() => nowMs);
  const { __promisify__ } = setTimeout;
  spyOn(globalThis, "setTimeout").mockImplementation(Object.assign(startTimer, { __promisify__ }));
  spyOn(globalThis, "clearTimeout").mockImplementation((timer) => void deadlines.delete(timer));
});
afterEach(() => {
  jest.restoreAllMocks();
});

/** An error of the SDK: with the status of a response, or none where none arrived. */
function sdkError(name: string, status?: number, members: object = {}): Error {
  const error = Object.assign(new Error(`about ${name}`), members);
  error.name = name;
  if (status === undefined) return error;
  return Object.assign(error, { $fault: "client", $metadata: { httpStatusCode: status } });
}

/** What becomes of an attempt that fails so each time: how many were made, whether in doubt, and what is thrown. */
async function outcomeOf(error: unknown, policy = { ...POLICY, budgetMs: 6 }) {
  let doubts = 0;
  const beganAtMs: number[] = [];
  const attempt = () => {
    beganAtMs.push(nowMs - 5_000);
    return Promise.reject(error);
  };
  const thrown: unknown = await withRetries("it failed", policy, HALF, attempt, () => doubts++).catch(
    (reason: unknown) => reason,
  );
  expect(deadlines.size).toBe(0);
  const cause = thrown instanceof StorageUnavailable ? thrown.cause : undefined;
  return {
    /** Of two that there is time for. */
    attempts: beganAtMs.length,
    beganAtMs,
    isDoubted: doubts > 0,
    isPassedOn: thrown === error,
    message: cause instanceof Error ? cause.message : "",
  };
}

const AGAIN = { attempts: 2, isPassedOn: false };
const REFUSED = { attempts: 1, isPassedOn: false };
const PASSED_ON = { attempts: 1, isPassedOn: true };

describe("an error after which the request is sent again, and", () => {
  test.each([
    "ConditionalRequestConflict",
    "LimitExceededException",
    "OperationAborted",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TransactionCanceledException",
    "TransactionConflictException",
  ])("had not been carried out: %s", async (name) => {
    expect(await outcomeOf(sdkError(name, 400))).toMatchObject({ ...AGAIN, isDoubted: false });
    expect(await outcomeOf(sdkError(name, 503))).toMatchObject({ ...AGAIN, isDoubted: false });
  });

  test.each([
    ["too many requests", sdkError("x", 429)],
    ["no connection", sdkError("x", undefined, { code: "ECONNREFUSED" })],
    ["no address", sdkError("x", undefined, { code: "ENOTFOUND" })],
    ["no address for now", sdkError("x", undefined, { code: "EAI_AGAIN" })],
  ])("had not been carried out: %s", async (_name, error) => {
    expect(await outcomeOf(error)).toMatchObject({ ...AGAIN, isDoubted: false });
  });

  test.each([
    ["one that the attempt asks for", new TryAgain("again")],
    ["a transaction in progress", sdkError("TransactionInProgressException", 400)],
    ["an internal error", sdkError("x", 500)],
    ["a bad gateway", sdkError("x", 502)],
    ["a timeout", sdkError("TimeoutError")],
    ["an aborted attempt", sdkError("AbortError")],
    ["a response that cannot be read", sdkError("SyntaxError", undefined, { $metadata: {} })],
    ["a refusal that cannot be read", sdkError("x", undefined, { $metadata: { httpStatusCode: 403 } })],
    ["a broken connection", sdkError("x", undefined, { code: "ECONNRESET" })],
  ])("may have been carried out: %s", async (_name, error) => {
    expect(await outcomeOf(error)).toMatchObject({ ...AGAIN, isDoubted: true });
  });
});

describe("an error after which the request is not sent again:", () => {
  test.each([400, 403, 404, 412, 428, 430, 499])("a refusal with the status %d", async (status) => {
    expect(await outcomeOf(sdkError("x", status))).toMatchObject({ ...REFUSED, isDoubted: false });
  });

  test("one without a status, which may have been carried out", async () => {
    const error = sdkError("x", undefined, { $fault: "client" });
    expect(await outcomeOf(error)).toMatchObject({ ...REFUSED, isDoubted: true });
    expect(await outcomeOf(sdkError("x", 399))).toMatchObject({ ...REFUSED, isDoubted: true });
  });

  test("missing credentials", async () => {
    const error = sdkError("CredentialsProviderError");
    expect(await outcomeOf(error)).toMatchObject({ ...REFUSED, isDoubted: false });
  });

  test.each([
    ["a wrong request", sdkError("ValidationException", 400)],
    ["another wrong request", sdkError("SerializationException", 400)],
    ["a token that is used twice", sdkError("IdempotentParameterMismatchException", 400)],
    ["one of the service", new ChangeRefused("too large")],
    ["an outage that is known", Object.assign(new StorageUnavailable("x"), { code: "service_unavailable" })],
    ["a mistake of the program", new TypeError("x is not a function")],
    ["a code that is no text", sdkError("x", undefined, { code: 5 })],
    ["no error", "text"],
  ])("%s, which is thrown as it is", async (_name, error) => {
    expect(await outcomeOf(error)).toMatchObject({ ...PASSED_ON, isDoubted: false });
  });
});

test("what an operator can do is in the cause", async () => {
  const permission = "the credentials are missing, wrong or lack a permission";
  for (const [error, message] of [
    [sdkError("ResourceNotFoundException", 400), "a DynamoDB table does not exist"],
    [sdkError("NoSuchBucket", 404), "the S3 bucket does not exist"],
    [sdkError("AccessDenied", 401), `${permission} (AccessDenied)`],
    [sdkError("AccessDenied", 403), `${permission} (AccessDenied)`],
    ...[
      "AccessDeniedException",
      "ExpiredTokenException",
      "IncompleteSignatureException",
      "InvalidSignatureException",
      "MissingAuthenticationTokenException",
      "UnrecognizedClientException",
    ].map((name) => [sdkError(name, 400), `${permission} (${name})`] as const),
    [sdkError("CredentialsProviderError"), `${permission} (CredentialsProviderError)`],
    [sdkError("RequestExpired", 403), "the clock of this machine differs too much from AWS's"],
    [sdkError("x", 404), "about x"],
    [sdkError("x", 402), "about x"],
  ] as const)
    expect((await outcomeOf(error)).message).toStartWith(message);
});

describe("attempts", () => {
  test("pause for a random part of a limit that doubles, up to a longest one", async () => {
    const policy = { ...POLICY, budgetMs: 68 };
    const beganAtMs = [0, 5, 15, 32.5, 50, 67.5];
    expect(await outcomeOf(new TryAgain("again"), policy)).toMatchObject({ beganAtMs });
  });

  test("do not begin when their time is over", async () => {
    // 5 + 10 have passed, and the next pause would end then
    for (const [budgetMs, attempts] of [
      [32.5, 3],
      [32.6, 4],
    ] as const)
      expect(await outcomeOf(new TryAgain("again"), { ...POLICY, budgetMs })).toMatchObject({ attempts });
  });

  test("take what the result was, and no further one", async () => {
    let attempts = 0;
    const attempt = async () => {
      if (++attempts < 3) throw new TryAgain("again");
      return attempts;
    };
    expect(await withRetries("it failed", POLICY, HALF, attempt)).toBe(3);
    expect(deadlines.size).toBe(0);
  });

  test("are aborted at their deadline, and when they fail", async () => {
    const signals: AbortSignal[] = [];
    const attempt = (signal: AbortSignal) => {
      signals.push(signal);
      if (signals.length > 1) return Promise.reject(new TypeError("x"));
      return new Promise<never>((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    };
    const ended = withRetries("it failed", { ...POLICY, budgetMs: 100_000 }, HALF, attempt);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    for (const expire of deadlines.values()) expire();
    await expect(ended).rejects.toThrow("x");
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect(pauses).toEqual([5]);
  });

  test("have the time that the store is known to need", () => {
    expect(DEFAULT_RETRY).toEqual({ budgetMs: 6_000, attemptMs: 2_000, firstPauseMs: 40, maxPauseMs: 1_000 });
  });
});

test("a wrong clock costs one attempt and no pause, and is reported once", async () => {
  const date = new Date(Date.now() - 600_000).toUTCString();
  const error = sdkError("RequestTimeTooSkewed", 403, { $response: { headers: { date } } });
  const messages: string[] = [];
  const policy = { ...POLICY, onClockSkew: (message: string) => void messages.push(message) };
  expect(await outcomeOf(error, policy)).toMatchObject({ attempts: 2, isDoubted: false });
  expect(pauses).toEqual([]);
  expect(messages).toEqual(["the clock of this machine is 10 minutes ahead of AWS's"]);
});
