/** An attempt ends at its deadline, whatever an endpoint does with a connection, and leaves its permit to the next one. */
import { describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { GetItemCommand } from "@aws-sdk/client-dynamodb";
import { systemRandom } from "../../../../src/runtime/clock.ts";
import { createDynamoDbClient } from "../../../../src/storage/aws/clients.ts";
import { DirectClient } from "../../../../src/storage/aws/direct/client.ts";
import { DYNAMODB } from "../../../../src/storage/aws/direct/dynamodb.ts";
import { withRetries } from "../../../../src/storage/aws/retry.ts";
import { StorageUnavailable } from "../../../../src/storage/contract.ts";
import { awsConfigAt, setAwsCredentials } from "../../../support/aws-config.ts";
import { startDeafEndpoint } from "./deaf-endpoint.ts";

const ATTEMPT = { budgetMs: 0, attemptMs: 100, firstPauseMs: 0, maxPauseMs: 0 };
const REQUESTS = 3;

/** The causes why requests failed, one after the other, of which one may be on its way. */
async function causesOf(url: string): Promise<unknown[]> {
  setAwsCredentials();
  const sdk = createDynamoDbClient(awsConfigAt(url));
  const client = new DirectClient(sdk, DYNAMODB, 1);
  const command = new GetItemCommand({ TableName: "backups", Key: { BackupId: { S: "b1" } } });
  const causes: unknown[] = [];
  for (let n = 0; n < REQUESTS; n++)
    try {
      await withRetries("it failed", ATTEMPT, systemRandom, (abortSignal) =>
        client.send(command, { abortSignal }),
      );
    } catch (error) {
      if (!(error instanceof StorageUnavailable)) throw error;
      causes.push(error.cause);
    }
  client.destroy();
  return causes;
}

const AT_THE_DEADLINE = Array.from({ length: REQUESTS }, () =>
  expect.objectContaining({ name: "AbortError" }),
);

describe("a direct request ends at the deadline of its attempt", () => {
  for (const protocol of ["http", "https"])
    test(`where the endpoint accepts the connection and is silent, over ${protocol}`, async () => {
      const server = createServer(() => {});
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const address = server.address();
      if (address === null || typeof address === "string") throw new Error("the server has no port");
      try {
        expect(await causesOf(`${protocol}://127.0.0.1:${address.port}`)).toEqual(AT_THE_DEADLINE);
      } finally {
        server.close();
      }
    });

  test("where the endpoint does not accept the connection", async () => {
    await using endpoint = await startDeafEndpoint();
    expect(await causesOf(`http://${endpoint.host}`)).toEqual(AT_THE_DEADLINE);
    expect(endpoint.isFull()).toBe(true); // so it was not accepted
  });
});
