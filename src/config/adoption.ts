/** The other service whose backups are adopted when a request needs them. */
import type { EnvironmentReader } from "./environment.ts";
import { oidcIssuers } from "./oidc.ts";
import { awsEndpoints, type StorageConfig } from "./storage.ts";

export interface AdoptionConfig {
  readonly bucket: string;
  readonly table: string;
  readonly region: string;
  /** A custom endpoint of each; `null` for AWS's own. */
  readonly s3Endpoint: string | null;
  readonly dynamoDbEndpoint: string | null;
  /** The issuers whose accounts the service knows. */
  readonly issuers: Readonly<Record<"GOOGLE" | "APPLE", string>>;
}

/** `null` where nothing is adopted. */
export function adoptionConfig(read: EnvironmentReader, storage: StorageConfig): AdoptionConfig | null {
  const bucket = read.optional("ADOPT_FROM_S3_BUCKET");
  const table = read.optional("ADOPT_FROM_DYNAMODB_TABLE");
  const region = read.optional("ADOPT_FROM_AWS_REGION");
  const endpoint = read.url("ADOPT_FROM_AWS_ENDPOINT_URL");
  if (bucket === null && table === null) {
    if (region !== null || endpoint !== null)
      read.problem(
        "ADOPT_FROM_AWS_REGION and ADOPT_FROM_AWS_ENDPOINT_URL need ADOPT_FROM_S3_BUCKET and ADOPT_FROM_DYNAMODB_TABLE",
      );
    return null;
  }
  if (bucket === null || table === null)
    read.problem("ADOPT_FROM_S3_BUCKET and ADOPT_FROM_DYNAMODB_TABLE are set together or not at all");
  if (storage.driver === "aws" && isOwn(storage, bucket, table))
    read.problem(
      "ADOPT_FROM_S3_BUCKET or ADOPT_FROM_DYNAMODB_TABLE is the service's own: name that of the other service",
    );
  const place = region ?? read.optional("AWS_REGION");
  if (place === null) read.problem("ADOPT_FROM_AWS_REGION is required while ADOPT_FROM_S3_BUCKET is set");
  const { s3Endpoint, dynamoDbEndpoint } = storage.driver === "aws" ? storage : awsEndpoints(read);
  const issuers = oidcIssuers(read);
  return {
    bucket: bucket ?? "",
    table: table ?? "",
    region: place ?? "",
    s3Endpoint: endpoint ?? s3Endpoint,
    dynamoDbEndpoint: endpoint ?? dynamoDbEndpoint,
    issuers: { GOOGLE: issuers.google, APPLE: issuers.apple },
  };
}

function isOwn(
  storage: Extract<StorageConfig, { driver: "aws" }>,
  bucket: string | null,
  table: string | null,
): boolean {
  return storage.bucket === bucket || Object.values(storage.tables).some((name) => name === table);
}
