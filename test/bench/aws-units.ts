/** What each operation costs on AWS: units of DynamoDB and requests to S3, counted from the calls that it makes. */
import type { Driver } from "../drivers.ts";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";
import { startService } from "../support/service.ts";
import { replacedContent, syncPayload, userWithBackup } from "../support/users.ts";
import { preparedOperations } from "./prepared-operations.ts";
import { startUnitCounter } from "./unit-counter.ts";

export interface AwsUnits {
  readonly operation: string;
  /** Requests to DynamoDB. */
  readonly calls: number;
  readonly readUnits: number;
  readonly writeUnits: number;
  readonly s3Puts: number;
  readonly s3Gets: number;
  readonly s3Deletes: number;
  /** For a million operations, with {@link PRICES}. */
  readonly usdPerMillion: number;
}

/** USD for a million of each, on demand in us-east-1, as AWS has published it since November 2024. Deletions from S3 are free. */
const PRICES = {
  readUnit: 0.125,
  writeUnit: 0.625,
  s3Put: 5,
  s3Get: 0.4,
} as const;

const DAY_MS = 24 * 60 * 60 * 1000;

/** One event in 64 takes an item more, which is seldom in all of three. */
const RUNS = 3;

/** Runs every operation, with what it leaves for after its response. */
export async function measureAwsUnits(aws: Driver): Promise<AwsUnits[]> {
  await using storage = await aws.environment();
  await using s3 = await startFaultProxy(storage.env.AWS_ENDPOINT_URL_S3 ?? "");
  await using dynamoDb = startUnitCounter(storage.env.AWS_ENDPOINT_URL_DYNAMODB ?? "");
  await using service = await startService(aws, {
    storage,
    env: {
      AWS_ENDPOINT_URL_S3: s3.url,
      AWS_ENDPOINT_URL_DYNAMODB: dynamoDb.url,
      RATE_LIMITS: "true",
    },
  });
  const { client, clock, services } = service;
  const operations: ReturnType<typeof preparedOperations> = {
    ...preparedOperations(client),
    "sync, with the versions of a week": async () => {
      let user = await userWithBackup(client);
      for (let day = 0; day < 9; day++) {
        clock.advance(DAY_MS);
        ({ user } = await replacedContent(client, user));
      }
      const payload = await syncPayload(client, user);
      return () => client.sync(payload, user.backup);
    },
  };

  async function measured(operation: string, prepare: (typeof operations)[string]): Promise<AwsUnits> {
    const call = await prepare();
    await services.background.settled();
    const before = dynamoDb.counted();
    const ofS3 = s3.seen.length;
    (await call()).ok();
    await services.background.settled();
    const after = dynamoDb.counted();
    const requests = (method: string) => countOf(s3, ofS3, method);
    const units = {
      calls: after.calls - before.calls,
      readUnits: after.reads - before.reads,
      writeUnits: after.writes - before.writes,
      s3Puts: requests("PUT"),
      s3Gets: requests("GET") + requests("HEAD"),
      s3Deletes: requests("DELETE"),
    };
    return { operation, ...units, usdPerMillion: usdPerMillion(units) };
  }

  const counted: AwsUnits[] = [];
  for (const [operation, prepare] of Object.entries(operations)) {
    const runs: AwsUnits[] = [];
    for (let run = 0; run < RUNS; run++) runs.push(await measured(operation, prepare));
    const [least] = runs.sort((a, b) => a.usdPerMillion - b.usdPerMillion);
    if (least !== undefined) counted.push(least);
  }
  return counted;
}

/** A row of the table in README.md. */
export function readmeRow(units: AwsUnits): string {
  const { operation, readUnits, writeUnits, s3Puts, s3Gets, s3Deletes } = units;
  const counts = [readUnits, writeUnits, s3Puts, s3Gets, s3Deletes];
  return `| ${operation} | ${counts.join(" | ")} | ${units.usdPerMillion.toFixed(2)} |`;
}

function usdPerMillion({
  readUnits,
  writeUnits,
  s3Puts,
  s3Gets,
}: Omit<AwsUnits, "operation" | "usdPerMillion">): number {
  return (
    readUnits * PRICES.readUnit +
    writeUnits * PRICES.writeUnit +
    s3Puts * PRICES.s3Put +
    s3Gets * PRICES.s3Get
  );
}

function countOf({ seen }: FaultProxy, from: number, method: string): number {
  return seen.slice(from).filter((line) => line.startsWith(`${method} `)).length;
}
