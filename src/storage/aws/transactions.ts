/**
 * Transactions of DynamoDB: all of their steps or none.
 *
 * Each has a token. When it is not known whether one took place (no answer, or one that cannot be read) it is sent again
 * with the same token, and DynamoDB answers for the first one if that took place.
 */
import {
  type DynamoDBClient,
  TransactionCanceledException,
  TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb";
import { type Clock, instantOf, msSince, type Random } from "../../runtime/clock.ts";
import { ChangeRefused, NotCommitted, StorageUnavailable } from "../contract.ts";
import { failedSteps, type Step } from "./changes.ts";
import { type RetryPolicy, withRetries } from "./retry.ts";

/** DynamoDB remembers a token for 10 minutes. Later the same transaction is a new one, and conflicts with itself. */
const TOKEN_KNOWN_MS = 9 * 60 * 1000;
const PURPOSE = "the change could not be stored";

export interface TransactOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly retry: RetryPolicy;
}

/**
 * Takes steps, all or none; returns those whose condition did not hold, none when they were taken.
 *
 * @param mayBeSent throws when it is too late for the steps.
 * @throws NotCommitted when they certainly were not and will not be taken; ChangeRefused when they never will be;
 *   StorageUnavailable when that is not known.
 */
export async function transact(
  client: DynamoDBClient,
  steps: readonly Step[],
  mayBeSent: () => void,
  { clock, random, retry }: TransactOptions,
): Promise<readonly Step[]> {
  if (steps.length === 0) return [];
  const command = new TransactWriteItemsCommand({
    ClientRequestToken: random.uuid(),
    TransactItems: steps.map((step) => step.write),
  });
  beforeSending(command, mayBeSent);
  const startedAt = instantOf(clock);
  let inDoubt = false;
  const onDoubt = () => {
    inDoubt = true;
  };
  async function attempt(abortSignal: AbortSignal): Promise<readonly Step[]> {
    try {
      await client.send(command, { abortSignal });
      return [];
    } catch (error) {
      if (error instanceof TransactionCanceledException) return failedSteps(steps, error);
      if (error instanceof Error && error.name === "ValidationException")
        throw new ChangeRefused("DynamoDB refuses the change", { cause: error });
      throw error;
    }
  }
  try {
    const failed = await withRetries(PURPOSE, retry, random, attempt, onDoubt);
    if (inDoubt && failed.length > 0 && msSince(startedAt, clock) > TOKEN_KNOWN_MS)
      throw new StorageUnavailable("an earlier attempt may be what the change conflicts with");
    return failed;
  } catch (error) {
    if (!(error instanceof StorageUnavailable)) throw error;
    if (inDoubt) throw new StorageUnavailable(PURPOSE, { cause: error });
    throw error instanceof NotCommitted ? error : new NotCommitted(PURPOSE, { cause: error.cause });
  }
}

/**
 * Runs a check on each request of a command after it was signed, as the last thing before it is sent. A request that is
 * held up later than that, because the process is suspended, arrives with a signature that is too old: DynamoDB refuses
 * what was signed more than 15 minutes ago. So no change takes place later than that after `check` let it pass.
 */
function beforeSending({ middlewareStack }: TransactWriteItemsCommand, check: () => void): void {
  middlewareStack.add(
    (next) => (args) => {
      check();
      return next(args);
    },
    { name: "checkBeforeSending", step: "deserialize", priority: "low" },
  );
}
