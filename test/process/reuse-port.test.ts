import { expect, test } from "bun:test";
import { createApiClient } from "../support/api-client.ts";
import { newLocalStorage } from "../support/local-storage.ts";
import { TEST_CHALLENGE_TOKEN_KEYS } from "../support/service.ts";
import { startProcess } from "../support/service-process.ts";
import { recovered, userWithBackup } from "../support/users.ts";

test("several processes serve one port and one data folder, and go on when one of them ends", async () => {
  await using storage = await newLocalStorage();
  const env = {
    ...storage.env,
    APP_ENV: "development",
    ATTESTATION: "off",
    REUSE_PORT: "true",
    CHALLENGE_TOKEN_KEYS: TEST_CHALLENGE_TOKEN_KEYS,
  };
  await using first = await startProcess(env);
  const { port } = new URL(first.url);
  await using second = await startProcess({ ...env, PORT: port });
  // a connection stays with one process, so each request opens its own
  const client = createApiClient({ url: second.url, headers: { connection: "close" } });
  const user = await userWithBackup(client);
  for (let n = 0; n < 10; n++) await recovered(client, user);
  first.signal("SIGTERM");
  expect(await first.exited).toBe(0);
  await recovered(client, user);
});
