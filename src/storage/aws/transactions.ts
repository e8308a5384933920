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
import type { Random } from "../../clock.ts";
import { ChangeRefused, NotCommitted, StorageUnavailable } from "../contract.ts";
import { failedSteps, type Step } from "./changes.ts";
import { type RetryPolicy, withRetries } from "./retry.ts";

const PURPOSE = "the change could not be stored";

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
  retry: RetryPolicy,
  random: Random,
): Promise<readonly Step[]> {
  if (steps.length === 0) return [];
  const command = new TransactWriteItemsCommand({
    ClientRequestToken: random.uuid(),
    TransactItems: steps.map((step) => step.write),
  });
  beforeSending(command, mayBeSent);
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
    return await withRetries(PURPOSE, retry, random, attempt, onDoubt);
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
