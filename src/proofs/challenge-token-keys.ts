import { link, readFile, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ChallengeTokenKey } from "../config/challenge-tokens.ts";
import { decodeBase64, encodeBase64 } from "../crypto/encoding.ts";
import type { Random } from "../runtime/clock.ts";
import { makeFolder, syncDirectory } from "../runtime/folders.ts";
import { errorCode, orNullIfMissing } from "../runtime/system-errors.ts";

const FILE = "challenge-token-key";

/**
 * The key of a development installation: made on first use and kept in `directory` (mode 0600), so that tokens
 * outlive a restart. Processes that start at the same moment end up with the same key.
 */
export async function generatedChallengeTokenKey(
  directory: string,
  random: Random,
): Promise<ChallengeTokenKey> {
  await makeFolder(directory);
  const path = join(directory, FILE);
  return (await readKey(path)) ?? writeKey(path, random);
}

async function readKey(path: string): Promise<ChallengeTokenKey | null> {
  const text = await orNullIfMissing(readFile(path, "utf8"));
  if (text === null) return null;
  const secret = decodeBase64(text.trim());
  if (secret?.length !== 32)
    throw new Error(`${path} should hold 32 bytes in base64; delete it to have a new key made`);
  return { kid: "generated", secret };
}

/** Linking a complete file to the name fails when another process was first; then its key is used. */
async function writeKey(path: string, random: Random): Promise<ChallengeTokenKey> {
  const temporary = `${path}.${random.uuid()}`;
  const secret = `${encodeBase64(random.bytes(32))}\n`;
  await writeFile(temporary, secret, { flag: "wx", mode: 0o600, flush: true });
  try {
    await link(temporary, path);
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  } finally {
    await unlink(temporary);
  }
  await syncDirectory(dirname(path));
  const key = await readKey(path);
  if (key === null) throw new Error(`${path} vanished while it was made`);
  return key;
}
