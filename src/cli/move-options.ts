/** What the commands take that move backups from or to the other service. */
import { namedApp } from "../config/apps.ts";
import { loadLegacyConfig } from "../config/legacy.ts";
import type { StorageConfig } from "../config/storage.ts";
import { APP, APP_USAGE, HELP } from "./command.ts";

export const MOVE_OPTIONS = {
  bucket: { type: "string" },
  table: { type: "string" },
  region: { type: "string" },
  endpoint: { type: "string" },
  rate: { type: "string", default: "500" },
  "dry-run": { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  ...APP,
  ...HELP,
} as const;

/** The options in a usage text. */
export const MOVE_USAGE = `  --bucket, --table  of the other service
  --region    where they are; AWS_REGION if not given
  --endpoint  of a store that is not AWS's; AWS_ENDPOINT_URL and its like if not given
  --rate      how many calls a second the other stores get at most; 500 if not given
  --dry-run   reads everything and writes nothing
  --json      prints one JSON document
${APP_USAGE}`;

export interface MoveValues {
  readonly help: boolean;
  readonly bucket?: string | undefined;
  readonly table?: string | undefined;
  readonly region?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly rate: string;
  readonly app?: string | undefined;
}

/** Requires what has no default. @throws Error */
export function requireMove({ help, bucket, table, endpoint, rate }: MoveValues): void {
  if (help) return;
  if (!bucket || !table) throw new Error("name the bucket and the table of the other service");
  if (endpoint !== undefined && !(/^https?:\/\//.test(endpoint) && URL.canParse(endpoint)))
    throw new Error("--endpoint takes an http or https URL");
  callsPerSecond(rate);
}

/** The stores of the other service, what is needed to open them, and the app here. @throws Error; ConfigError */
export function moveOf({ bucket = "", table = "", region, endpoint, rate, app }: MoveValues) {
  const { scope, env } = namedApp(process.env, app);
  const config = loadLegacyConfig(env);
  const place = region ?? config.region;
  if (place === null) throw new Error("name the region of the other service: --region or AWS_REGION");
  return {
    scope,
    location: {
      bucket,
      table,
      region: place,
      s3Endpoint: endpoint ?? config.s3Endpoint,
      dynamoDbEndpoint: endpoint ?? config.dynamoDbEndpoint,
    },
    issuers: config.issuers,
    callsPerSecond: callsPerSecond(rate),
  };
}

/** Reading from or writing to the service's own stores would mix two layouts in one place. @throws Error */
export function requireOtherStores(storage: StorageConfig, { bucket, table }: MoveValues): void {
  if (storage.driver !== "aws") return;
  if (storage.bucket === bucket || Object.values(storage.tables).some((name) => name === table))
    throw new Error("this bucket or table is the service's own: name those of the other service");
}

function callsPerSecond(rate: string): number {
  const number = /^\d{1,6}$/.test(rate) ? Number(rate) : 0;
  if (number === 0) throw new Error("--rate takes a whole number of calls a second");
  return number;
}
