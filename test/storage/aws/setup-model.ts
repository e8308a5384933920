/** What `setUp` creates, as S3 and DynamoDB keep it: in memory, and without any delay. */
import { beforeEach } from "bun:test";
import { type Finding, type SetupOptions, setUp } from "../../../src/storage/aws/setup.ts";
import {
  dynamoDbRefusal,
  dynamoDbSuccess,
  type Respond,
  responding,
  type ScriptedAws,
  type SeenRequest,
  s3Refusal,
  scriptedAws,
} from "../../support/scripted-aws.ts";

export const KMS_KEY = "arn:aws:kms:eu-west-1:111122223333:key/1";

/** How S3 responds to who asks for a setting that was never made. */
const UNSET: Readonly<Record<string, Respond>> = {
  versioning: responding(200, "<VersioningConfiguration/>"),
  publicAccessBlock: s3Refusal(404, "NoSuchPublicAccessBlockConfiguration"),
  lifecycle: s3Refusal(404, "NoSuchLifecycleConfiguration"),
  encryption: s3Refusal(404, "ServerSideEncryptionConfigurationNotFoundError"),
};

export interface SetupModel {
  readonly aws: ScriptedAws;
  /** What exists, by the name of what it is about: bodies of requests that wrote it. */
  readonly stored: Map<string, string>;
  /** Responses to requests by what they do, such as `PUT lifecycle` and `CreateTable factors`, in place of the model's. */
  readonly instead: Map<string, Respond>;
  /** @param first ends the setup after so many findings. */
  run(
    options?: Partial<SetupOptions> & { readonly region?: string; readonly first?: number },
  ): Promise<Finding[]>;
  /** What the requests since the last call have done. */
  requests(): string[];
  writes(): string[];
}

/** One for all tests of a file. Each of them begins with nothing. */
export async function setupModel(): Promise<SetupModel> {
  const aws = await scriptedAws();
  const stored = new Map<string, string>();
  const instead = new Map<string, Respond>();
  aws.respond = (response, request) => {
    const name = nameOf(request);
    (instead.get(name) ?? modelled(stored, request, name))(response, request);
  };
  beforeEach(() => {
    stored.clear();
    instead.clear();
  });
  const requests = () => aws.seen.splice(0).map(nameOf);
  return {
    aws,
    stored,
    instead,
    async run({ region = aws.config.region, first, ...options } = {}) {
      const config = { ...aws.config, region, kmsKeyArn: KMS_KEY };
      const findings: Finding[] = [];
      for await (const finding of setUp(config, { checkOnly: false, ...options })) {
        findings.push(finding);
        if (findings.length === first) break;
      }
      return findings;
    },
    requests,
    writes: () => requests().filter((name) => /^(PUT|Create|Update)/.test(name)),
  };
}

/** What a request does, and to what. */
function nameOf({ method, target, operation, body }: SeenRequest): string {
  if (operation !== "") return `${operation} ${JSON.parse(body).TableName}`;
  const setting = [...new URL(target, "http://s3").searchParams.keys()].find((key) => key in UNSET);
  return `${method} ${setting ?? "bucket"}`;
}

function modelled(stored: Map<string, string>, { body }: SeenRequest, name: string): Respond {
  const [verb = "", about = ""] = name.split(" ");
  const has = (key: string) => stored.has(key);
  switch (verb) {
    case "HEAD":
      return responding(has(about) ? 200 : 404);
    case "GET":
      return has(about) ? responding(200, stored.get(about)) : (UNSET[about] ?? s3Refusal(404, "NoSuchKey"));
    case "DescribeTable": {
      if (!has(about)) return dynamoDbRefusal("ResourceNotFoundException");
      const { KeySchema } = JSON.parse(stored.get(about) ?? "");
      return dynamoDbSuccess({ Table: { TableStatus: "ACTIVE", KeySchema } });
    }
    case "DescribeTimeToLive": {
      const status = has(`expiry of ${about}`) ? "ENABLED" : "DISABLED";
      const { TimeToLiveSpecification } = JSON.parse(stored.get(`expiry of ${about}`) ?? "{}");
      return expiry(status, TimeToLiveSpecification?.AttributeName);
    }
    case "DescribeContinuousBackups":
      return recovery(has(`recovery of ${about}`) ? "ENABLED" : "DISABLED");
    default:
      stored.set(`${WRITTEN[verb] ?? ""}${about}`, body);
      return dynamoDbSuccess({ TableDescription: { TableStatus: "ACTIVE" } });
  }
}
const WRITTEN: Readonly<Record<string, string>> = {
  UpdateTimeToLive: "expiry of ",
  UpdateContinuousBackups: "recovery of ",
};

export function expiry(TimeToLiveStatus: string, AttributeName?: string): Respond {
  return dynamoDbSuccess({ TimeToLiveDescription: { TimeToLiveStatus, AttributeName } });
}

export function recovery(PointInTimeRecoveryStatus: string): Respond {
  const PointInTimeRecoveryDescription = { PointInTimeRecoveryStatus };
  return dynamoDbSuccess({ ContinuousBackupsDescription: { PointInTimeRecoveryDescription } });
}
