/** A process of its own, since trust is settled when one starts: reads from both stores, and prints what came of it. */
import { loadStorageConfig } from "../../../../src/config/storage.ts";
import { systemClock, systemRandom } from "../../../../src/runtime/clock.ts";
import { errorCode } from "../../../../src/runtime/system-errors.ts";
import { openAwsBlobs } from "../../../../src/storage/aws/blobs.ts";
import { openAwsRecords } from "../../../../src/storage/aws/records.ts";
import { StorageUnavailable } from "../../../../src/storage/contract.ts";

const config = loadStorageConfig(process.env);
if (config.driver !== "aws") throw new Error("this is about the aws driver");
const options = { clock: systemClock, random: systemRandom, retry: { attemptMs: 60_000, budgetMs: 0 } };
await using records = await openAwsRecords(config, options);
await using blobs = await openAwsBlobs(config, options);
const ref = { key: "b1/blobs/1", size: 1, sha256: "0".repeat(64) };
const [record, blob] = await Promise.all([records.read("b1"), blobs.get(ref)].map(outcomeOf));
process.stdout.write(JSON.stringify({ record, blob }));

async function outcomeOf(result: Promise<unknown>): Promise<unknown> {
  try {
    return await result;
  } catch (error) {
    return error instanceof StorageUnavailable ? [error.name, errorCode(error.cause)] : `${error}`;
  }
}
