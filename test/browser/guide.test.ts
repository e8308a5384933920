import { describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { refusePrfResults } from "../../src/proofs/passkey/prf-results.ts";
import { DRIVERS } from "../drivers.ts";
import { codeOf } from "../support/error-of.ts";
import { importTypescript, typescriptIn } from "../support/guide.ts";
import { startService } from "../support/service.ts";
import { newUser, solved } from "../support/users.ts";
import { startChromium } from "./chromium.ts";
import { expectReadable } from "./readable.ts";

const CHAPTER = "passkeys.md";
const Made = Type.Object({ authorization: Type.Unknown(), encryptedKey: Type.String() });
const [driver] = DRIVERS; // nothing about a browser depends on it
if (driver === undefined) throw new Error("there is no driver");

/** What a page does with the code of the guide. The keys stay in the page. */
const APP = `
import { createPasskey, decryptBackupKey, encryptBackupKey, usePasskey } from "./${CHAPTER}.ts";
globalThis.app = {
  async create({ challenge, backupKey }) {
    const { authorization, wrappingKey } = await createPasskey(challenge);
    return { authorization, encryptedKey: await encryptBackupKey(wrappingKey, Uint8Array.from(backupKey)) };
  },
  async recover({ challenge }) {
    const { authorization, wrappingKey } = await usePasskey(challenge);
    app.wrappingKey = wrappingKey;
    return authorization;
  },
  decrypt: async ({ encryptedKey }) => [...(await decryptBackupKey(app.wrappingKey, encryptedKey))],
};`;

async function appPage(): Promise<string> {
  await using folder = await typescriptIn([CHAPTER]);
  const entry = `${folder.path}/app.ts`;
  await Bun.write(entry, APP);
  const { outputs } = await Bun.build({ entrypoints: [entry] });
  return `<!doctype html><script type="module">${await outputs[0]?.text()}</script>`;
}

describe("the guide's code for passkeys", () => {
  test("creates and recovers a backup in a browser, and keeps the PRF result there", async () => {
    const page = await appPage();
    await using site = Bun.serve({
      hostname: "localhost",
      port: 0,
      fetch: () => new Response(page, { headers: { "content-type": "text/html" } }),
    });
    const origin = `http://localhost:${site.port}`;
    await using service = await startService(driver, { env: { WEBAUTHN_ORIGINS: origin } });
    await using browser = await startChromium();
    const profile = await browser.newProfile();
    await profile.open(origin);
    const { client } = service;
    const backupKey = [...crypto.getRandomValues(new Uint8Array(32))];

    const name = { name: "ada@example.com", displayName: "Ada", platform: "ANDROID" };
    const { challenge, token } = (await client.passkeyChallenge("create", name)).ok();
    const made = Value.Parse(Made, await profile.call("create", { challenge, backupKey }));
    const user = newUser();
    const sync = await solved(client, "create", user.sync);
    const payload = {
      authorization: made.authorization,
      challengeToken: token,
      initialEncryptionKey: { kind: "PRF", encryptedKey: made.encryptedKey },
      initialSyncFactor: sync.authorization,
      initialSyncChallengeToken: sync.challengeToken,
      manifestHash: user.manifestHash,
      backupAccountId: user.account.backupAccountId,
    };
    (await client.create(payload, user.backup)).ok();

    const asked = (await client.passkeyChallenge("retrieve", {})).ok();
    const authorization = await profile.call("recover", { challenge: asked.challenge });
    const { backup, metadata } = (await client.retrieve({ authorization, challengeToken: asked.token })).ok();
    expect(Buffer.from(backup, "base64")).toEqual(Buffer.from(user.backup));
    const [key] = metadata.keys;
    expect(await profile.call("decrypt", { encryptedKey: key?.encryptedKey })).toEqual(backupKey);
  });

  test("removes the PRF result from what is sent", async () => {
    const { withoutPrf } = await importTypescript<{ withoutPrf(response: object): unknown }>(CHAPTER);
    const results = { credProps: { rk: true }, prf: { enabled: true, results: { first: "c2VjcmV0" } } };
    const response = { id: "AA", clientExtensionResults: results };
    expect(await codeOf(() => refusePrfResults(response))).toBe("webauthn_prf_results_not_allowed");
    const sent: unknown = JSON.parse(JSON.stringify(withoutPrf(response)));
    refusePrfResults(sent);
    expect(sent).toEqual({ id: "AA", clientExtensionResults: { credProps: { rk: true } } });
  });
});

describe("the page of the guide", () => {
  test("fits a phone and a screen, in light and dark colours", async () => {
    await using service = await startService(driver);
    await using browser = await startChromium();
    const profile = await browser.newProfile();
    await expectReadable(profile, "p, a, th, td, code, h2 a", () => profile.open(`${service.url}/guide`));
  });

  test("is read by keyboard: the first stop leads to the text, code can be scrolled", async () => {
    await using service = await startService(driver);
    await using browser = await startChromium();
    const profile = await browser.newProfile();
    await profile.open(`${service.url}/guide`);
    const stops = `[...document.querySelectorAll("a[href], [tabindex='0']")]`;
    expect(await profile.evaluate(`${stops}[0].hash`)).toBe("#content");
    expect(
      await profile.evaluate(`[...document.querySelectorAll("pre")].every((pre) => pre.tabIndex === 0)`),
    ).toBe(true);
  });
});
