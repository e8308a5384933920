/** A process that has no more files, disk space or log. */
import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { createApiClient } from "../support/api-client.ts";
import { CLEAN_ENVIRONMENT } from "../support/clean-environment.ts";
import { freePorts } from "../support/free-port.ts";
import { newLocalStorage } from "../support/local-storage.ts";
import { multipartBody, multipartType, part } from "../support/multipart-body.ts";
import { head, openConnection } from "../support/raw-http.ts";
import { TEST_CHALLENGE_TOKEN_KEYS } from "../support/service.ts";
import { startProcess } from "../support/service-process.ts";
import { createPayload, newUser, userWithBackup } from "../support/users.ts";

const MAX_OPEN_FILES = 128;
/** Responses to wait for: the process needs fewer files for itself than the rest. */
const MIN_ANSWERED = 64;
const ENV = { APP_ENV: "development", CHALLENGE_TOKEN_KEYS: TEST_CHALLENGE_TOKEN_KEYS };

/** Starts to create a backup with an invalid passkey; `end` returns the status and code of the response. */
async function beginCreation(url: string) {
  const client = createApiClient({ url });
  const names = { name: "a", displayName: "a", platform: "IOS" };
  const { token } = (await client.passkeyChallenge("create", names)).ok();
  const payload = {
    ...(await createPayload(client, newUser())),
    authorization: { kind: "PASSKEY", credential: {} },
    challengeToken: token,
  };
  const body = multipartBody([part("payload", JSON.stringify(payload)), part("backup", "x")]);
  const connection = await openConnection(url);
  const headers = { "content-type": multipartType(), "content-length": body.length };
  await connection.write(head("POST", "/v1/create", headers));
  await connection.write(body.subarray(0, 10));
  return {
    async end(): Promise<readonly [number, string]> {
      await connection.write(body.subarray(10));
      const answer = await connection.answer();
      return [answer.status, JSON.parse(answer.body).error.code];
    },
    [Symbol.dispose]: () => connection[Symbol.dispose](),
  };
}

/** Opens as many connections as the process may open files. Resolves once it has answered most of them. */
async function exhaustFiles(url: string): Promise<DisposableStack> {
  const stack = new DisposableStack();
  const answered = Promise.withResolvers<void>();
  let answers = 0;
  for (let n = 0; n < MAX_OPEN_FILES; n++) {
    const another = stack.use(await openConnection(url));
    await another.write(head("GET", "/health", {}));
    another.answer().then(
      () => ++answers === MIN_ANSWERED && answered.resolve(),
      () => {}, // one that the process never took is closed with the stack
    );
  }
  await answered.promise;
  return stack;
}

for (const driver of DRIVERS)
  describe(`a process that can open no more files (${driver.name})`, () => {
    test("verifies its first passkey", async () => {
      await using storage = await driver.environment();
      await using service = await startProcess({ ...ENV, ...storage.env }, { maxOpenFiles: MAX_OPEN_FILES });
      using creation = await beginCreation(service.url);
      using _connections = await exhaustFiles(service.url);
      expect(await creation.end()).toEqual([400, "webauthn_invalid_payload"]);
    });
  });

if (DRIVERS.some(({ name }) => name === "local"))
  test("a process whose database can no longer be written is not ready, and logs the store", async () => {
    await using storage = await newLocalStorage();
    await using service = await startProcess({ ...ENV, ...storage.env }, { maxFileBlocks: 512 });
    const client = createApiClient({ url: service.url });
    const ready = async () => (await fetch(`${service.url}/ready`)).status;
    expect(await ready()).toBe(200);
    for (let status = 200; status !== 503; ) {
      const user = newUser();
      status = (await client.create(await createPayload(client, user), user.backup)).status;
      expect([200, 503]).toContain(status);
    }
    while ((await ready()) !== 503) await Bun.sleep(50); // a result is reused for a second
    const named = () => service.lines.flatMap((line): string[] => JSON.parse(line).part ?? []);
    while (named().length === 0) await Bun.sleep(5); // the log may come after the response
    expect(named()[0]).toBe("records");
    expect((await fetch(`${service.url}/health`)).status).toBe(200);
  });

for (const driver of DRIVERS)
  test(`a process whose log cannot be written goes on, and counts that in its metrics (${driver.name})`, async () => {
    await using storage = await driver.environment();
    // the ports are logged nowhere
    const [port, metricsPort] = freePorts(2);
    const child = Bun.spawn(["sh", "-c", "exec bun src/main.ts > /dev/full"], {
      cwd: `${import.meta.dir}/../..`,
      env: {
        ...CLEAN_ENVIRONMENT,
        APP_ENV: "development",
        HOST: "127.0.0.1",
        PORT: String(port),
        METRICS_PORT: String(metricsPort),
        LOG_FORMAT: "json",
        ...storage.env,
      },
      stderr: "pipe",
    });
    try {
      const url = `http://127.0.0.1:${port}`;
      while (child.exitCode === null && !(await answers(`${url}/health`))) await Bun.sleep(20);
      const client = createApiClient({ url });
      for (let n = 0; n < 5; n++) await userWithBackup(client);
      const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      expect(Number(/^log_write_failures_total (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(0);
    } finally {
      child.kill("SIGTERM");
    }
    expect([await child.exited, await new Response(child.stderr).text()]).toEqual([0, ""]);
  });

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false; // it does not listen yet
  }
}
