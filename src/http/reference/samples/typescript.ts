import type { Call } from "./call.ts";

/** What apps write of each method of the client in `src/client`, by the name of its operation. */
const METHODS: Readonly<Record<string, string>> = {
  create: `const encryptionKey = { kind: "ICLOUD", encryptedKey: "q83vEjRWeJCrze8SNFZ4kA==" } as const;
const { backupId } = await client.create({ main, sync: phone, account, content: ciphertext, encryptionKey });`,
  recover: "const { content, metadata, syncFactorToken } = await client.recover(main);",
  verify: "const { backupId } = await client.verify(main);",
  addFactor: `const { factorId } = await client.addFactor({ existing: main, added: await keypair() });`,
  addSyncFactor: `const { syncFactorToken } = await client.recover(main);
await client.addSyncFactor(phone, { syncFactorToken });`,
  sync: `const { manifestHash } = await client.metadata(phone);
await client.sync(phone, { content: ciphertext, currentManifestHash: manifestHash });`,
  restoreVersion: `const { manifestHash, versions } = await client.metadata(phone);
const [newest] = versions;
if (newest !== undefined)
  await client.restoreVersion(phone, { versionId: newest.versionId, currentManifestHash: manifestHash });`,
  removeFactor: `const { factors } = await client.metadata(phone);
const [oldest] = factors;
if (oldest !== undefined) await client.removeFactor(phone, { factorId: oldest.id, scope: "MAIN" });`,
  metadata: "const { factors, syncFactors, versions } = await client.metadata(phone);",
  undelete: "await client.undelete(main, backupId);",
  events: "for await (const event of client.events(phone)) console.log(event);",
  deleteBackup: "await client.deleteBackup(phone);",
  reset: "await client.reset(account);",
  status: "const { factors } = await client.status(backupId);",
};

const CLIENT = "backup-service-client";

/** What a method is called with, by its name there. */
const VALUES: readonly (readonly [name: string, value: string, why: string])[] = [
  ["main", "await keypair()", "the main factor, which recovers"],
  ["phone", "await keypair()", "the sync factor of this device: IndexedDB keeps phone.keys"],
  ["account", "accountKey()", "made from 32 bytes that the app keeps"],
  ["ciphertext", 'new TextEncoder().encode("encrypted by the app")', ""],
  ["backupId", '"backup_account_0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"', ""],
];

export function typescript(call: Call): string {
  const { name, solvedIn } = call.operation;
  const method = METHODS[solvedIn ?? name];
  if (method === undefined) return byFetch(call);
  const byPasskey = name.endsWith("PasskeyChallenge");
  const values = VALUES.filter(([value]) => uses(method, value)).map(([value, made, why]) => {
    const factor = value === "main" && byPasskey ? 'passkey({ name: "ada@example.com" })' : made;
    return `const ${value} = ${factor};${why === "" ? "" : ` // ${why}`}`;
  });
  const code = [...values, method].join("\n");
  const factors = ["keypair", "passkey"].filter((made) => code.includes(`${made}(`));
  const asked = solvedIn === null ? "" : `// The client asks for this challenge by itself, in ${solvedIn}.\n`;
  return `import { ${["createBackupClient", ...factors].join(", ")} } from "${CLIENT}";
${uses(code, "accountKey") ? `import { accountKey } from "${CLIENT}/account-key";\n` : ""}
${asked}const client = createBackupClient({ url: "${new URL(call.url).origin}" });
${code}
`;
}

/** Whether the code reads a value of this name, instead of declaring it. */
function uses(code: string, name: string): boolean {
  return new RegExp(`\\b${name}\\b(?! \\})`).test(code);
}

/** For operators and tests: the client has no method for it. */
function byFetch({ method, url, json }: Call): string {
  const init =
    json === null
      ? ""
      : `, {
  method: "${method}",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(${json.replaceAll("\n", "\n  ")}),
}`;
  return `const response = await fetch("${url}"${init});
console.log(response.status, await response.json());
`;
}
