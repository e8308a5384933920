/**
 * Transactions of DynamoDB: all of their steps or none.
 *
 * Each has an idempotency token. Where the outcome is not known (no response, or an unreadable one) the transaction
 * is sent again with the same token. If the first one was carried out, DynamoDB returns its outcome. If it is still under
 * way, it may be carried out later, so a conflict that may pass by then does not say that nothing will be changed. A
 * single step that can recognise its own earlier attempt is a write without a transaction.
 */
import {
  ConditionalCheckFailedException,
  PutItemCommand,
  TransactionCanceledException,
  TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb";
import { type Clock, instantOf, msSince, type Random } from "../../runtime/clock.ts";
import { ChangeRefused, NotCommitted, StorageUnavailable } from "../contract.ts";
import { failedSteps, type LoneWrite, type Step } from "./changes.ts";
import type { DynamoDbSender } from "./clients.ts";
import type { SendOptions } from "./direct/sdk.ts";
import { type RetryPolicy, withRetries } from "./retry.ts";

/** DynamoDB remembers a token for 10 minutes. After that a retry is a new transaction, and conflicts with the first. */
const TOKEN_KNOWN_MS = 9 * 60 * 1000;
const PURPOSE = "the change could not be stored";

export interface TransactOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly retry: RetryPolicy;
}

/**
 * Makes the writes of all steps or of none. Returns the steps whose condition failed: none when the writes were made.
 *
 * @param beforeSending throws when it is too late for the steps. Called before each request is sent, after it was signed.
 *   DynamoDB refuses a signature that is more than 15 minutes old, so where the process is suspended in between, the steps
 *   are made no later than that or not at all.
 * @throws NotCommitted when nothing was written and nothing will be; ChangeRefused when a retry would fail;
 *   StorageUnavailable when the outcome is not known.
 */
export async function transact(
  client: DynamoDbSender,
  steps: readonly Step[],
  beforeSending: () => void,
  { clock, random, retry }: TransactOptions,
): Promise<readonly Step[]> {
  if (steps.length === 0) return [];
  const alone = steps.length === 1 ? steps[0]?.alone : undefined;
  const send = alone === undefined ? transaction(client, steps, random) : lone(client, alone);
  const startedAt = instantOf(clock);
  let inDoubt = false;
  const onDoubt = () => {
    inDoubt = true;
  };
  async function attempt(abortSignal: AbortSignal): Promise<readonly Step[]> {
    try {
      await send({ abortSignal, beforeSending });
      return [];
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return steps;
      if (error instanceof TransactionCanceledException) return failedSteps(steps, error);
      if (error instanceof Error && error.name === "ValidationException")
        throw new ChangeRefused("DynamoDB refuses the change", { cause: error });
      throw error;
    }
  }
  try {
    const failed = await withRetries(PURPOSE, retry, random, attempt, onDoubt);
    const isForgotten = alone?.isReplaceable ?? msSince(startedAt, clock) > TOKEN_KNOWN_MS;
    if (inDoubt && failed.length > 0 && isForgotten)
      throw new StorageUnavailable("an earlier attempt may be what the change conflicts with");
    if (inDoubt && mayPass(failed))
      throw new StorageUnavailable("an earlier attempt may arrive when there is no conflict any more");
    return failed;
  } catch (error) {
    if (!(error instanceof StorageUnavailable)) throw error;
    if (inDoubt) throw new StorageUnavailable(PURPOSE, { cause: error });
    throw error instanceof NotCommitted ? error : new NotCommitted(PURPOSE, { cause: error.cause });
  }
}

/** Whether another change may end the conflict. A revision, a deletion and the nonce of a commit never come back. */
function mayPass(failed: readonly Step[]): boolean {
  const conflicts = new Set(failed.map(({ otherwise }) => otherwise));
  const isLasting = conflicts.has("revision") || conflicts.has("consumed") || conflicts.has("not-kept");
  return !isLasting && (conflicts.has("exists") || conflicts.has("factor-claimed"));
}

function transaction(client: DynamoDbSender, steps: readonly Step[], random: Random) {
  const command = new TransactWriteItemsCommand({
    ClientRequestToken: random.uuid(),
    TransactItems: steps.map((step) => step.write),
  });
  return (options: SendOptions): Promise<unknown> => client.send(command, options);
}

function lone(client: DynamoDbSender, { put }: LoneWrite) {
  const command = new PutItemCommand(put);
  return (options: SendOptions): Promise<unknown> => client.send(command, options);
}
