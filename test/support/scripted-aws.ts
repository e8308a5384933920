/** S3 and DynamoDB at one endpoint, which records requests as they arrive and responds as a test says. */
import { afterAll, beforeEach } from "bun:test";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { AwsStorageConfig } from "../../src/config/storage.ts";
import { awsConfigAt, setAwsCredentials } from "./aws-config.ts";
import { dynamoDbError } from "./dynamodb-proxy.ts";

export interface SeenRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** What DynamoDB is to do, such as `GetItem`; empty in a request to S3. */
  readonly operation: string;
}

export type Respond = (response: ServerResponse, request: SeenRequest) => void;

export interface ScriptedAws extends AsyncDisposable {
  readonly url: string;
  readonly config: AwsStorageConfig;
  readonly seen: SeenRequest[];
  /** To every request from here on. */
  respond: Respond;
  /** Forgets the requests before, responds so to one after the other, and refuses all others. */
  respondInOrder(...responses: readonly Respond[]): void;
  /** How many connections are open. */
  readonly connections: number;
  /** Waits until what was sent before has arrived: until a later request of another client, which is not recorded, ends. */
  arrived(): Promise<void>;
  /** Waits until no connection is open. */
  deserted(): Promise<void>;
}

/** No store has such a path. */
const BARRIER = "/?barrier";

export async function startScriptedAws(): Promise<ScriptedAws> {
  setAwsCredentials();
  const seen: SeenRequest[] = [];
  const open = new Set<Socket>();
  // a connection that is not used stays open, however long a test takes
  const server = createServer({ keepAliveTimeout: 0 }, async (incoming, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of incoming) pieces.push(piece);
    const { method = "", url: target = "", headers } = incoming;
    if (target === BARRIER) return void response.end();
    const operation = `${headers["x-amz-target"] ?? ""}`.replace("DynamoDB_20120810.", "");
    const request = { method, target, headers, body: Buffer.concat(pieces).toString(), operation };
    seen.push(request);
    aws.respond(response, request);
  });
  let closed = () => {};
  server.on("connection", (socket) => {
    open.add(socket);
    socket.on("close", () => {
      open.delete(socket);
      closed();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the endpoint has no port");
  const url = `http://127.0.0.1:${address.port}`;
  const aws: ScriptedAws = {
    url,
    config: awsConfigAt(url),
    seen,
    respond: responding(200),
    respondInOrder(...responses) {
      seen.length = 0;
      aws.respond = (response, request) => (responses[seen.length - 1] ?? refused)(response, request);
    },
    get connections() {
      return open.size;
    },
    async arrived() {
      await fetch(`${url}${BARRIER}`, { keepalive: false });
    },
    async deserted() {
      while (open.size > 0) await new Promise<void>((resolve) => (closed = resolve));
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return aws;
}

/** One for all tests of a file. Each of them begins without requests. */
export async function scriptedAws(): Promise<ScriptedAws> {
  const aws = await startScriptedAws();
  beforeEach(() => {
    aws.seen.length = 0;
  });
  afterAll(() => aws[Symbol.asyncDispose]());
  return aws;
}

export function responding(
  status: number,
  body: string | Buffer = "",
  headers: Readonly<Record<string, string>> = {},
): Respond {
  return (response) => void response.writeHead(status, headers).end(body);
}

/** A success of DynamoDB. */
export function dynamoDbSuccess(members: object): Respond {
  return responding(200, JSON.stringify(members));
}

/** An error of DynamoDB by its name. */
export function dynamoDbRefusal(name: string): Respond {
  const { status, body } = dynamoDbError(400, name);
  return responding(status, body);
}

/** An error of S3 by its code. */
export function s3Refusal(status: number, code: string): Respond {
  return responding(status, `<Error><Code>${code}</Code></Error>`);
}

/** The refusal of either store for want of permission. */
export const refused: Respond = (response, request) => {
  const refusal =
    request.operation === "" ? s3Refusal(403, "AccessDenied") : dynamoDbRefusal("AccessDeniedException");
  refusal(response, request);
};
