/** Creates and checks what the aws driver needs: a bucket and four tables, with their settings. */
import type { AwsStorageConfig } from "../../config/storage.ts";
import { createDynamoDbClient, createS3Client } from "./clients.ts";
import { statusOf } from "./sdk-error.ts";
import { bucketRequirement } from "./setup-bucket.ts";
import { tableRequirements } from "./setup-tables.ts";

/** A resource or setting that the driver needs. */
export interface Requirement {
  /** As in "the table x". */
  readonly what: string;
  isMet(): Promise<boolean>;
  /** Creates it. Safe when another process does so at the same time. */
  meet(): Promise<void>;
  /** What can exist only once this does. */
  readonly within?: readonly Requirement[];
}

/** `unsupported`: the endpoint does not implement it, which happens only with endpoints other than AWS's. */
export interface Finding {
  readonly what: string;
  readonly state: "present" | "created" | "missing" | "unsupported";
}

export interface SetupOptions {
  readonly checkOnly: boolean;
  /** Waits so many milliseconds until a setting of a new table is attempted again. */
  readonly pause?: (ms: number) => Promise<unknown>;
}

/** How often the SDK attempts a request: every step is idempotent, and none has a time budget. */
const MAX_ATTEMPTS = 5;

/**
 * Checks everything that the driver needs, and creates what is missing unless `checkOnly`. Idempotent.
 *
 * @throws Error of the SDK when AWS refuses, for instance for lack of a permission.
 */
export async function* setUp(
  config: AwsStorageConfig,
  { checkOnly, pause }: SetupOptions,
): AsyncGenerator<Finding> {
  const s3 = createS3Client(config, MAX_ATTEMPTS);
  const dynamoDb = createDynamoDbClient(config, MAX_ATTEMPTS);
  try {
    const tables = tableRequirements(dynamoDb, config, pause);
    for (const requirement of [bucketRequirement(s3, config), ...tables])
      yield* checked(requirement, checkOnly);
  } finally {
    s3.destroy();
    dynamoDb.destroy();
  }
}

async function* checked(requirement: Requirement, checkOnly: boolean): AsyncGenerator<Finding> {
  const state = await stateOf(requirement, checkOnly);
  yield { what: requirement.what, state };
  for (const inner of requirement.within ?? [])
    if (state === "missing") yield { what: inner.what, state };
    else yield* checked(inner, checkOnly);
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
    throw new Error(`${requirement.what}${status === null ? "" : `, status ${status}`}`, {
      cause: error,
    });
  }
}

/** The errors of endpoints that do not know an operation. */
const NOT_IMPLEMENTED = new Set([
  "MethodNotAllowed",
  "NotImplemented",
  "NotImplementedException",
  "UnknownOperationException",
]);
