import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DRIVERS, type Driver } from "../drivers.ts";
import { startService, type TestService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { randomBytes, solved, userWithBackup } from "../support/users.ts";

const MINUTE_MS = 60_000;
const LIFETIME_MS = 15 * MINUTE_MS;
const newKey = (kid: string) => `${kid}:${Buffer.from(randomBytes(32)).toString("base64")}`;
const OLD = newKey("old");
const NEW = newKey("new");

/** Enough for each process at each step until they expire. */
const TOKENS_OF_BATCH = 16;

interface Token {
  /** Those that one process issued at one step. */
  readonly batch: string;
  readonly issuedAtMs: number;
  readonly proof: Awaited<ReturnType<typeof solved>>;
}

/** Two processes that share their stores, each with a file of keys, behind one name: any of them may get a request. */
async function deploymentOf(driver: Driver, keys: readonly string[]) {
  const folder = await temporaryFolder();
  const storage = await driver.environment();
  const clock = new SettableClock();
  const start = async (name: string, keys: readonly string[]) => {
    const file = join(folder.path, name);
    await writeFile(file, `${keys.join(",")}\n`, { mode: 0o600 });
    const env = { CHALLENGE_TOKEN_KEYS: "", CHALLENGE_TOKEN_KEYS_FILE: file };
    return startService(driver, { storage, clock, env });
  };
  const running = new Map<string, TestService>();
  for (const name of ["one", "other"]) running.set(name, await start(name, keys));
  return {
    clock,
    get processes(): readonly TestService[] {
      return [...running.values()];
    },
    /** Restarts one process after the other, and calls `between` after each. */
    async rollOut(keys: readonly string[], between: () => Promise<void>) {
      for (const [name, service] of [...running]) {
        await service[Symbol.asyncDispose]();
        running.set(name, await start(name, keys));
        clock.advance(MINUTE_MS);
        await between();
      }
    },
    async [Symbol.asyncDispose]() {
      for (const service of running.values()) await service[Symbol.asyncDispose]();
      await storage[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

type Deployment = Awaited<ReturnType<typeof deploymentOf>>;

/** Takes tokens of each process at every call, and has some of those that are still valid redeemed at each process. */
async function tokensInFlight(deployment: Deployment) {
  const [first] = deployment.processes;
  if (first === undefined) throw new Error("no process runs");
  const user = await userWithBackup(first.client);
  let tokens: readonly Token[] = [];
  const codes: string[] = [];
  return {
    codes,
    async step() {
      const { clock, processes } = deployment;
      for (const { client } of processes) {
        const batch = crypto.randomUUID();
        for (let count = 0; count < TOKENS_OF_BATCH; count++)
          tokens = [
            ...tokens,
            { batch, issuedAtMs: clock.nowMs(), proof: await solved(client, "verify-factor", user.main) },
          ];
      }
      const isValid = ({ issuedAtMs }: Token) => clock.nowMs() - issuedAtMs < LIFETIME_MS;
      const groups = Map.groupBy(tokens.filter(isValid), ({ batch }) => batch);
      for (const group of groups.values())
        for (const { client } of processes) {
          const token = group.pop();
          if (token === undefined) throw new Error("a batch has too few tokens");
          const response = await client.verifyFactor(token.proof);
          codes.push(response.status === 200 ? "accepted" : response.code());
        }
      tokens = [...groups.values()].flat();
    },
  };
}

for (const driver of DRIVERS)
  describe(`the rotation of challenge token keys (${driver.name})`, () => {
    test("refuses no token, whichever process issued it and whichever gets it", async () => {
      await using deployment = await deploymentOf(driver, [OLD]);
      const { codes, step } = await tokensInFlight(deployment);
      await step();
      await deployment.rollOut([OLD, NEW], step);
      await deployment.rollOut([NEW, OLD], step);
      deployment.clock.advance(LIFETIME_MS - MINUTE_MS);
      await step();
      deployment.clock.advance(MINUTE_MS);
      await deployment.rollOut([NEW], step);
      expect(new Set(codes)).toEqual(new Set(["accepted"]));
    });

    test("refuses tokens where the new key is the first one before every process has it", async () => {
      await using deployment = await deploymentOf(driver, [OLD]);
      const { codes, step } = await tokensInFlight(deployment);
      await step();
      await deployment.rollOut([NEW, OLD], step);
      expect(new Set(codes)).toEqual(new Set(["accepted", "jwt_error"]));
    });

    test("refuses tokens where the old key is removed within 15 minutes", async () => {
      await using deployment = await deploymentOf(driver, [OLD]);
      const { codes, step } = await tokensInFlight(deployment);
      await deployment.rollOut([OLD, NEW], step);
      await deployment.rollOut([NEW, OLD], step);
      await deployment.rollOut([NEW], step);
      expect(new Set(codes)).toEqual(new Set(["accepted", "jwt_error"]));
    });
  });
