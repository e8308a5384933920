import { decodeBase64 } from "../crypto/encoding.ts";
import type { EnvironmentReader } from "./environment.ts";

/** A key that encrypts challenge tokens: 32 bytes for A256GCM, named by `kid`. */
export interface ChallengeTokenKey {
  readonly kid: string;
  readonly secret: Uint8Array;
}

export interface ChallengeTokensConfig {
  /**
   * The first key encrypts, every key decrypts. Empty in development only: a key is then generated and kept in
   * `generatedKeyDir`.
   */
  readonly keys: readonly ChallengeTokenKey[];
  readonly generatedKeyDir: string;
}

export function challengeTokensConfig(
  read: EnvironmentReader,
  development: boolean,
  dataDir: string,
): ChallengeTokensConfig {
  if (!development && !read.hasSecret("CHALLENGE_TOKEN_KEYS"))
    read.problem(
      'CHALLENGE_TOKEN_KEYS is required outside development: make one with echo "k1:$(openssl rand -base64 32)"',
    );
  return { keys: challengeTokenKeys(read), generatedKeyDir: dataDir };
}

/** Parses `kid:base64(32 bytes)`, comma-separated. The reported problems never quote a secret. */
function challengeTokenKeys(read: EnvironmentReader): ChallengeTokenKey[] {
  const keys: ChallengeTokenKey[] = [];
  for (const [index, entry] of (read.secret("CHALLENGE_TOKEN_KEYS")?.split(",") ?? []).entries()) {
    const [, kid = "", encoded = ""] = /^([^:]*):(.*)$/.exec(entry.trim()) ?? [];
    const secret = decodeBase64(encoded);
    const where = `CHALLENGE_TOKEN_KEYS, entry ${index + 1}`;
    if (!/^[\w.-]{1,64}$/.test(kid))
      read.problem(`${where}: must be kid:base64, the kid 1-64 of A-Z a-z 0-9 _ . -`);
    else if (keys.some((key) => key.kid === kid)) read.problem(`${where}: the kid "${kid}" is used twice`);
    else if (secret?.length !== 32) read.problem(`${where}: the key "${kid}" must be 32 bytes in base64`);
    else keys.push({ kid, secret });
  }
  return keys;
}
