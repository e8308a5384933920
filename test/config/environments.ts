/** Environments that are complete, and what a section reads of them and refuses. */
import { expect, test } from "bun:test";
import { loadConfig } from "../../src/config/config.ts";
import { ConfigError } from "../../src/config/config-error.ts";
import type { Environment } from "../../src/config/environment.ts";

export const KEY_1 = Buffer.alloc(32, 1).toString("base64");
export const GATEWAY = "https://gateway.example";

export const development: Environment = { APP_ENV: "development" };
/** The least that production takes. */
export const production: Environment = {
  APP_ENV: "production",
  AWS_REGION: "eu-central-1",
  BACKUP_S3_BUCKET: "backups",
  CHALLENGE_TOKEN_KEYS: `k1:${KEY_1}`,
  WEBAUTHN_RP_ID: "backup.example",
  WEBAUTHN_ORIGINS: "https://backup.example",
  ATTESTATION_GATEWAY_URL: GATEWAY,
  TRUSTED_PROXY_HOPS: "0",
};

export function problemsOf(env: Environment): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

/** In development, each of these sets of variables gives a configuration with these members. */
export function reads(cases: readonly (readonly [env: Record<string, string>, expected: object])[]): void {
  test.each([...cases])("reads %j", (env, expected) => {
    expect(loadConfig({ ...development, ...env })).toMatchObject(expected);
  });
}

/** In development, each of these values of a variable is a problem that names the variable. */
export function refuses(cases: readonly (readonly [name: string, values: readonly string[]])[]): void {
  test.each([...cases])("refuses as %s each of %j", (name, values) => {
    for (const value of values) {
      const problems = problemsOf({ ...development, [name]: value });
      expect(problems).toHaveLength(1);
      expect(problems[0]).toContain(name);
    }
  });
}

/** Production, and staging, does not start without any of these variables. */
export function requires(names: readonly string[]): void {
  test.each([...names])("requires %s in production and staging", (name) => {
    const problems = problemsOf({ ...production, [name]: undefined });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toStartWith(`${name} is required`);
    expect(problemsOf({ ...production, APP_ENV: "staging", [name]: "" })[0]).toContain(name);
  });
}

/** A URL of public keys is to be of https outside development, unless its host is loopback. */
export function requiresSafeKeyUrl(name: string): void {
  test.each([
    "http://keys.example/jwks",
    "HTTP://keys.example",
    "http://10.0.0.1",
    "http://localhost.example",
    "http://127.0.0.1.example",
    "http://localhost@keys.example",
    "http://[::2]",
    "http://[::ffff:10.0.0.1]",
  ])(`refuses as ${name} %s, where keys could be replaced in transit, except in development`, (url) => {
    for (const APP_ENV of ["production", "staging"])
      expect(problemsOf({ ...production, APP_ENV, [name]: url })).toEqual([
        `${name} must be an https URL outside development, unless its host is loopback`,
      ]);
    expect(problemsOf({ ...production, ATTESTATION: "off", [name]: url })).toHaveLength(1);
    expect(problemsOf({ ...development, [name]: url })).toEqual([]);
  });

  test.each([
    "https://keys.example/jwks",
    "http://localhost:8080",
    "http://127.0.0.1",
    "http://127.8.9.10:80/",
    "http://[::1]:8080",
  ])(`takes as ${name} %s, also in production`, (url) => {
    expect(problemsOf({ ...production, [name]: url })).toEqual([]);
  });
}
