import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { compactVerify, errors } from "jose";
import { createJwks, type Jwks } from "../../src/proofs/jwks.ts";
import { codeOf, errorOf } from "../support/error-of.ts";
import { JwksEndpoint } from "../support/jwks-endpoint.ts";
import { SettableClock } from "../support/settable-clock.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

let issuer: JwksEndpoint;
let clock: SettableClock;
let jwks: Jwks;
/** Refreshes that nobody waited for, and the errors that some ended with. */
let refreshes: Promise<void>[];
let failures: unknown[];

beforeEach(() => {
  issuer = new JwksEndpoint("ES256");
  clock = new SettableClock();
  refreshes = [];
  failures = [];
  jwks = open();
});
afterEach(() => issuer[Symbol.asyncDispose]());

function open(options: Partial<Parameters<typeof createJwks>[0]> = {}): Jwks {
  const background = {
    run(_name: string, work: () => Promise<unknown>): Promise<void> {
      const done = work().then(
        () => {},
        (error) => void failures.push(error),
      );
      refreshes.push(done);
      return done;
    },
  };
  return createJwks({ url: issuer.url, clock, background, ...options });
}

const refreshed = () => Promise.all(refreshes);
const verify = async (token = issuer.sign({})) => {
  await compactVerify(token, jwks.key, { algorithms: ["ES256"] });
};
const unknownKid = () => issuer.sign({}, { header: { kid: crypto.randomUUID() } });
const isUnknown = async (token = unknownKid()) => {
  await expect(verify(token)).rejects.toBeInstanceOf(errors.JWKSNoMatchingKey);
};

describe("the cached keys of an issuer", () => {
  test("are fetched when they are first needed, and once", async () => {
    expect(issuer.requests).toBe(0);
    await verify();
    await verify();
    expect(issuer.requests).toBe(1);
  });

  test("are fetched once for many that need them at the same moment", async () => {
    await Promise.all(Array.from({ length: 50 }, () => verify()));
    expect(issuer.requests).toBe(1);
  });

  test("are left alone for a minute", async () => {
    await verify();
    clock.advance(MINUTE_MS - 1);
    await verify();
    expect(issuer.requests).toBe(1);
    expect(refreshes).toEqual([]);
  });

  test("are refreshed in the background after a minute, once for many", async () => {
    await verify();
    clock.advance(MINUTE_MS);
    await Promise.all(Array.from({ length: 50 }, () => verify()));
    expect(refreshes).toHaveLength(1);
    await refreshed();
    expect(issuer.requests).toBe(2);
    await verify();
    expect(issuer.requests).toBe(2);
  });

  test("that are a minute old are used without waiting for the refresh", async () => {
    await verify();
    const token = issuer.sign({});
    issuer.mode = "silent";
    clock.advance(MINUTE_MS);
    await verify(token);
    expect(refreshes.length).toBe(1);
  });

  test("that were refreshed no longer hold what the issuer withdrew", async () => {
    const withdrawn = issuer.sign({});
    await verify(withdrawn);
    issuer.rotate();
    clock.advance(MINUTE_MS);
    await verify(withdrawn);
    await refreshed();
    await isUnknown(withdrawn);
    await verify();
  });

  test("grow old as time passes, also when the clock was put back", async () => {
    await verify();
    clock.advance(-24 * 60 * MINUTE_MS);
    await verify();
    expect(issuer.requests).toBe(1);
    clock.advance(MINUTE_MS);
    await verify();
    await refreshed();
    expect(issuer.requests).toBe(2);
    issuer.mode = "down";
    clock.advance(-24 * 60 * MINUTE_MS);
    await verify();
    clock.advance(60 * MINUTE_MS);
    expect(await codeOf(() => verify())).toBe("service_unavailable");
  });

  test("are old after a sleep of the machine, in which only the clock went on", async () => {
    await verify();
    clock.set(clock.nowMs() + 60 * MINUTE_MS);
    issuer.mode = "down";
    expect(await codeOf(() => verify())).toBe("service_unavailable");
  });

  test("that are an hour old are not used before they are fetched again", async () => {
    const withdrawn = issuer.sign({});
    await verify(withdrawn);
    issuer.rotate();
    clock.advance(60 * MINUTE_MS);
    await isUnknown(withdrawn);
  });
});

describe("an unknown kid", () => {
  test("has the keys fetched again, so a new key works at once", async () => {
    await verify();
    issuer.rotate();
    await verify();
    expect(issuer.requests).toBe(2);
  });

  test("has them fetched again at most every 30 seconds", async () => {
    await verify();
    for (let i = 0; i < 10; i++) await isUnknown();
    expect(issuer.requests).toBe(2);
    clock.advance(30 * SECOND_MS - 1);
    await isUnknown();
    expect(issuer.requests).toBe(2);
    clock.advance(1);
    await isUnknown();
    expect(issuer.requests).toBe(3);
  });

  test("has them fetched again after the pause, also when the clock was put back", async () => {
    await verify();
    await isUnknown();
    clock.advance(-24 * 60 * MINUTE_MS);
    await isUnknown();
    expect(issuer.requests).toBe(2);
    clock.advance(30 * SECOND_MS);
    await isUnknown();
    expect(issuer.requests).toBe(3);
  });

  test("has them fetched once when many come at the same moment", async () => {
    await verify();
    await Promise.all(Array.from({ length: 20 }, () => isUnknown()));
    expect(issuer.requests).toBe(2);
  });

  test("of a new key works for all that come while the keys are fetched", async () => {
    await verify();
    issuer.rotate();
    await Promise.all(Array.from({ length: 20 }, () => verify()));
    expect(issuer.requests).toBe(2);
  });

  test("does not have them fetched twice when they were not there yet", async () => {
    await verify(unknownKid()).catch(() => {});
    expect(issuer.requests).toBe(1);
  });

  test.each([undefined, null, 1, {}, [["a"]]])("that is %p has nothing fetched", async (kid) => {
    await isUnknown(issuer.sign({}, { header: { kid } }));
    expect(issuer.requests).toBe(0);
  });
});

describe("an outage of the issuer", () => {
  test.each(["down", "garbage"] as const)("(%s) is reported when there are no keys yet", async (mode) => {
    issuer.mode = mode;
    const error = await errorOf(() => verify());
    expect(error.code).toBe("service_unavailable");
    expect(error.message).toContain(new URL(issuer.url).host);
    expect(error.cause).toBeInstanceOf(Error);
  });

  test("ends as soon as the issuer answers", async () => {
    issuer.mode = "down";
    expect(await codeOf(() => verify())).toBe("service_unavailable");
    issuer.mode = "up";
    await verify();
  });

  test.each(["down", "garbage"] as const)(
    "(%s) leaves the last good keys in use for an hour",
    async (mode) => {
      await verify();
      issuer.mode = mode;
      for (let minute = 1; minute < 60; minute++) {
        clock.advance(MINUTE_MS);
        await verify();
        await refreshed();
      }
      expect(failures.length).toBe(59);
      clock.advance(MINUTE_MS);
      expect(await codeOf(() => verify())).toBe("service_unavailable");
    },
  );

  test("is not answered with more requests: after a failed refresh the next one waits for 5 seconds", async () => {
    await verify();
    issuer.mode = "down";
    clock.advance(MINUTE_MS);
    for (let i = 0; i < 5; i++) {
      await verify();
      await refreshed();
    }
    clock.advance(5 * SECOND_MS - 1);
    await verify();
    await refreshed();
    expect(issuer.requests).toBe(2);
    clock.advance(1);
    await verify();
    await refreshed();
    expect(issuer.requests).toBe(3);
  });

  test("leaves open whether an unknown kid is a new key, and asks at most every 30 seconds", async () => {
    await verify();
    issuer.mode = "down";
    for (let i = 0; i < 5; i++) expect(await codeOf(() => verify(unknownKid()))).toBe("service_unavailable");
    expect(issuer.requests).toBe(2);
    clock.advance(30 * SECOND_MS);
    expect(await codeOf(() => verify(unknownKid()))).toBe("service_unavailable");
    expect(issuer.requests).toBe(3);
    await verify();
  });

  test("that has ended leaves an unknown kid unknown", async () => {
    await verify();
    clock.advance(MINUTE_MS - 1);
    issuer.mode = "down";
    expect(await codeOf(() => verify(unknownKid()))).toBe("service_unavailable");
    issuer.mode = "up";
    clock.advance(5 * SECOND_MS);
    await verify();
    await refreshed();
    await isUnknown();
    expect(issuer.requests).toBe(3);
  });

  test("that gives no answer at all ends with the timeout", async () => {
    jwks = open({ timeoutMs: 20 });
    issuer.mode = "silent";
    expect(await codeOf(() => verify())).toBe("service_unavailable");
  });

  test("that refuses connections is one too", async () => {
    jwks = open({ url: "http://127.0.0.1:1/jwks" });
    expect(await codeOf(() => verify())).toBe("service_unavailable");
  });

  test("includes a key set that comes with an error", async () => {
    jwks = open({ fetch: async (url) => new Response((await fetch(url)).body, { status: 500 }) });
    expect(await codeOf(() => verify())).toBe("service_unavailable");
  });

  test("includes answers that lead elsewhere or are no key set", async () => {
    const answers = [
      new Response(null, { status: 302, headers: { location: "http://169.254.169.254/" } }),
      new Response("<html>"),
      Response.json(null),
      Response.json([]),
      Response.json({}),
      Response.json({ keys: [1] }),
      new Response(null, { status: 204 }),
    ];
    for (const answer of answers) {
      jwks = open({ fetch: async () => answer });
      expect(await codeOf(() => verify())).toBe("service_unavailable");
    }
  });

  test("includes keys that cannot be used", async () => {
    const point = Buffer.alloc(32, 4).toString("base64url"); // not on the curve
    const named = { kid: issuer.kid, alg: "ES256", use: "sig", kty: "EC", crv: "P-256" };
    const unusable = [{ ...named }, { ...named, x: 1, y: 2 }, { ...named, x: point, y: point }];
    for (const keys of [...unusable.map((key) => [key]), [unusable[0], unusable[0]]]) {
      jwks = open({ fetch: async () => Response.json({ keys }) });
      expect(await codeOf(() => verify())).toBe("service_unavailable");
    }
  });
});

test("an algorithm without a public key is not supported, and has nothing fetched again", async () => {
  await verify();
  const key = jwks.key({ kid: issuer.kid, alg: "HS256" });
  await expect(key).rejects.toBeInstanceOf(errors.JOSENotSupported);
  expect(issuer.requests).toBe(1);
});

test("the request asks for JSON, follows no redirect and carries nothing else", async () => {
  const asked: [string, RequestInit][] = [];
  jwks = open({
    fetch: async (url, init) => {
      asked.push([url, init]);
      return fetch(url);
    },
  });
  await verify();
  const [[url, init] = []] = asked;
  expect(url).toBe(issuer.url);
  expect(init).toMatchObject({
    redirect: "error",
    headers: { accept: "application/json, application/jwk-set+json" },
  });
});
