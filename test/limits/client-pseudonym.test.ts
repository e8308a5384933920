import { describe, expect, test } from "bun:test";
import type { ChallengeTokenKey } from "../../src/config/challenge-tokens.ts";
import { createClientPseudonym } from "../../src/limits/client-pseudonym.ts";
import { DRIVERS } from "../drivers.ts";
import { expectLimited, lowLimits } from "../support/low-limits.ts";
import { startService, TEST_CHALLENGE_TOKEN_KEYS, type TestService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { solved, userWithBackup } from "../support/users.ts";

const KEY: ChallengeTokenKey = { kid: "k1", secret: new Uint8Array(32).fill(1) };
const OTHER: ChallengeTokenKey = { kid: "k2", secret: new Uint8Array(32).fill(2) };
const HERE = "198.51.100.7";
const THERE = "198.51.100.8";

describe("the pseudonym of a client in the log", () => {
  test("is the same in every process with the same key, and says nothing without it", () => {
    const clock = new SettableClock();
    const name = createClientPseudonym([KEY], clock)(HERE);
    expect(name).toMatch(/^[0-9a-f]{12}$/);
    expect(createClientPseudonym([KEY, OTHER], clock)(HERE)).toBe(name);
    expect(createClientPseudonym([OTHER, KEY], clock)(HERE)).not.toBe(name);
    expect(createClientPseudonym([KEY], clock)(THERE)).not.toBe(name);
    expect(() => createClientPseudonym([], clock)).toThrow("at least one");
  });

  test("lasts for a day", () => {
    const clock = new SettableClock(Date.UTC(2026, 0, 15));
    const pseudonym = createClientPseudonym([KEY], clock);
    const name = pseudonym(HERE);
    clock.set(Date.UTC(2026, 0, 15, 23, 59, 59, 999));
    expect(pseudonym(HERE)).toBe(name);
    clock.set(Date.UTC(2026, 0, 16));
    expect(pseudonym(HERE)).not.toBe(name);
  });
});

interface Line {
  readonly status: number;
  readonly client?: string;
  readonly code?: string;
  readonly limit?: string;
}

const linesOf = ({ logged }: TestService): Line[] => logged.map((line) => JSON.parse(line));

for (const driver of DRIVERS)
  describe(`the line of a request (${driver.name})`, () => {
    test("names its client, in every process alike, and nowhere the address", async () => {
      const env = { TRUSTED_PROXY_HOPS: "1", CHALLENGE_TOKEN_KEYS: TEST_CHALLENGE_TOKEN_KEYS };
      await using first = await startService(driver, { env });
      await using second = await startService(driver, { env, storage: first.storage });
      for (const service of [first, second]) {
        for (const address of [HERE, THERE]) await service.clientFrom(address).health();
        await fetch(`${service.url}/nowhere`, { headers: { "x-forwarded-for": HERE } });
        await service.clientFrom("2001:db8::1").health();
        await service.clientFrom("2001:db8::2").health();
      }
      const clients = linesOf(first).map(({ client }) => client);
      expect(clients).toHaveLength(5);
      expect(new Set(clients).size).toBe(3);
      expect([clients[0], clients[3]]).toEqual([clients[2], clients[4]]);
      expect(linesOf(second).map(({ client }) => client)).toEqual(clients);
      expect(first.logged.join("") + second.logged.join("")).not.toMatch(/198\.51|2001:db8|127\.0\.0\.1/);
    });

    test("names the limit that was exceeded, whichever code found that", async () => {
      await using service = await startService(
        driver,
        lowLimits({
          RATE_LIMIT_ADDRESS_CHALLENGES_PER_MINUTE: "6",
          RATE_LIMIT_ADDRESS_FAILURES_PER_MINUTE: "1",
          RATE_LIMIT_ADDRESS_DESTRUCTIONS_PER_MINUTE: "1",
          RATE_LIMIT_ADDRESS_STATUS_PER_MINUTE: "1",
          RATE_LIMIT_ADDRESS_CREATES_PER_HOUR: "1",
        }),
      );
      const owner = service.clientFrom(THERE);
      const [first, second] = [
        await userWithBackup(service.clientFrom("192.0.2.1")),
        await userWithBackup(service.clientFrom("192.0.2.2")),
      ];
      const deletions = [
        await solved(owner, "delete-backup", first.sync),
        await solved(owner, "delete-backup", second.sync),
      ];
      const here = service.clientFrom(HERE);
      const user = await userWithBackup(here); // two challenges, one create
      const bad = { ...(await solved(here, "verify-factor", user.main)), challengeToken: "x" };
      const lines = service.logged.length;
      expectLimited(await here.create({}, user.backup));
      await here.backupStatus({ backupId: user.account.backupAccountId });
      expectLimited(await here.backupStatus({ backupId: user.account.backupAccountId }));
      expect((await here.verifyFactor(bad)).code()).toBe("jwt_error");
      expectLimited(await here.verifyFactor(bad));
      for (const deletion of deletions) await here.deleteBackup(deletion);
      for (let n = 0; n < 3; n++) (await here.keypairChallenge("sync")).ok();
      expectLimited(await here.keypairChallenge("sync"));

      const answers = linesOf(service).slice(lines);
      expect(new Set(answers.map(({ client }) => client)).size).toBe(1);
      for (const { status, code, limit } of answers) {
        expect(limit !== undefined).toBe(status === 429);
        if (status === 429) expect(code).toBe("too_many_requests");
      }
      expect(answers.flatMap(({ limit }) => limit ?? [])).toEqual([
        "address-creates",
        "address-status",
        "address-failures",
        "address-destructions",
        "address-challenges",
      ]);
      const metrics = await service.services.metrics.text();
      expect(metrics).toContain('route="/v1/verify-factor",status="429",code="too_many_requests"} 1');
    });
  });
