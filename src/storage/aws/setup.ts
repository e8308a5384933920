/** What the aws driver needs to find, and how to make it: a bucket and three tables, with their settings. */
import type { AwsStorageConfig } from "../../config/storage.ts";
import { createDynamoDbClient, createS3Client } from "./clients.ts";
import { statusOf } from "./sdk-error.ts";
import { bucketRequirement } from "./setup-bucket.ts";
import { tableRequirements } from "./setup-tables.ts";

/** Something that has to be there. */
export interface Requirement {
  /** As in "the table x". */
  readonly what: string;
  isMet(): Promise<boolean>;
  /** Makes it; does no harm when somebody else makes it at the same time. */
  meet(): Promise<void>;
  /** What can only be there once this is. */
  readonly within?: readonly Requirement[];
}

/** `unsupported`: the endpoint does not implement it, as endpoints other than AWS's may. */
export interface Finding {
  readonly what: string;
  readonly state: "present" | "created" | "missing" | "unsupported";
}

/** Setting up is rare and each step may be repeated, so that the SDK's own retries do. */
const MAX_ATTEMPTS = 5;

/**
 * Looks for everything the driver needs and makes what is missing, or with `checkOnly` only reports it. Running it again
 * changes nothing.
 *
 * @throws Error of the SDK when AWS refuses, for instance for lack of a permission.
 */
export async function* setUp(
  config: AwsStorageConfig,
  { checkOnly }: { readonly checkOnly: boolean },
): AsyncGenerator<Finding> {
  const s3 = createS3Client(config, MAX_ATTEMPTS);
  const dynamoDb = createDynamoDbClient(config, MAX_ATTEMPTS);
  try {
    for (const requirement of [bucketRequirement(s3, config), ...tableRequirements(dynamoDb, config)])
      yield* see(requirement, checkOnly);
  } finally {
    s3.destroy();
    dynamoDb.destroy();
  }
}

async function* see(requirement: Requirement, checkOnly: boolean): AsyncGenerator<Finding> {
  const state = await stateOf(requirement, checkOnly);
  yield { what: requirement.what, state };
  for (const inner of requirement.within ?? [])
    if (state === "missing") yield { what: inner.what, state };
    else yield* see(inner, checkOnly);
}

async function stateOf(requirement: Requirement, checkOnly: boolean): Promise<Finding["state"]> {
  try {
    if (await requirement.isMet()) return "present";
    if (checkOnly) return "missing";
    await requirement.meet();
    return "created";
  } catch (error) {
    if (error instanceof Error && NOT_IMPLEMENTED.has(error.name)) return "unsupported";
    const status = statusOf(error);
    throw new Error(`${requirement.what}${status === null ? "" : `, answered with ${status}`}`, {
      cause: error,
    });
  }
}

/** How endpoints say that they do not know an operation. */
const NOT_IMPLEMENTED = new Set([
  "MethodNotAllowed",
  "NotImplemented",
  "NotImplementedException",
  "UnknownOperationException",
]);
