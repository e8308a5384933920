import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Driver, TestStorage } from "../drivers.ts";

/**
 * The variables of the records of one storage and the blobs of another, as after a mistake in a configuration. On the
 * local driver the blobs are copied.
 */
export async function mixedEnvironment(
  driver: Driver,
  { recordsOf, blobsOf }: { readonly recordsOf: TestStorage; readonly blobsOf: TestStorage },
): Promise<Readonly<Record<string, string>>> {
  if (driver.name === "aws") {
    const { BACKUP_S3_BUCKET = "" } = blobsOf.env;
    return { ...recordsOf.env, BACKUP_S3_BUCKET };
  }
  const [to = "", from = ""] = [recordsOf.env.DATA_DIR, blobsOf.env.DATA_DIR];
  await rm(join(to, "blobs"), { recursive: true, force: true });
  await cp(join(from, "blobs"), join(to, "blobs"), { recursive: true });
  return recordsOf.env;
}
