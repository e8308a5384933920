/** Whatever an operation passes to the stores begins with the name of its app, and with no app's name in the default app. */
import { expect, test } from "bun:test";
import * as accountKeys from "../../src/client/account-key.ts";
import * as client from "../../src/client/index.ts";
import { expectedLife, live } from "../client/journey.ts";
import { DRIVERS } from "../drivers.ts";
import { appsEnv, TWO_APPS } from "../support/apps.ts";
import { startService } from "../support/service.ts";

/** Texts of the domain, and names that have no app in any store: those of ciphertexts, logs and deletions are random. */
const NOT_IDS = new Set([
  "metadata",
  "body",
  "blob",
  "versions",
  "holder",
  "deletedBy",
  "logId",
  "deletionId",
]);
/** How an id begins that has no app: that of a backup, or one with its kind before it. */
const UNSCOPED = /^(?:backup_account_|[A-Za-z-]+(?:_[A-Z]+)?\|)/;

/** The same store; `onCall` gets the name of each method that is called, and all texts in what it gets. */
function listening<T extends object>(store: T, onCall: (method: string, texts: Iterable<string>) => void): T {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...parameters: unknown[]) => {
        onCall(String(name), textsIn(parameters));
        return member.apply(target, parameters);
      };
    },
  });
}

function* textsIn(value: unknown): Generator<string> {
  if (typeof value === "string") yield value;
  if (Array.isArray(value)) for (const entry of value) yield* textsIn(entry);
  else if (value?.constructor === Object)
    for (const [name, member] of Object.entries(value)) if (!NOT_IDS.has(name)) yield* textsIn(member);
}

for (const driver of DRIVERS)
  test.each(TWO_APPS)(
    `in the life of a backup of the app $name (${driver.name})`,
    async ({ name, ...app }) => {
      const calls = new Set<string>();
      const ids: string[] = [];
      const onCall = (method: string, texts: Iterable<string>) => {
        calls.add(method);
        for (const text of texts) if (UNSCOPED.test(text) || text.startsWith("app/")) ids.push(text);
      };
      await using service = await startService(driver, {
        env: {
          ...appsEnv([{ name, ...app, hosts: ["127.0.0.1"] }]),
          RATE_LIMITS: "true",
          RATE_LIMIT_ADDRESS_CHALLENGES_PER_MINUTE: "100", // counts are shared each ten
        },
        wrapStores: ({ records, blobs }) => ({
          records: listening(records, onCall),
          blobs: listening(blobs, onCall),
        }),
      });
      const life = await live(client, accountKeys, { url: service.url, withPasskey: false });
      expect(life).toEqual(expectedLife("EC_KEYPAIR"));
      await service.services.background.settled();

      const needed = [
        "addToCounter",
        "commit",
        "consume",
        "isConsumed",
        "locate",
        "put",
        "read",
        "readDeleted",
      ];
      expect(needed.filter((method) => !calls.has(method))).toEqual([]);
      expect(ids.length).toBeGreaterThan(50);
      const isOfApp = (id: string) => (name === "first" ? UNSCOPED.test(id) : id.startsWith(`app/${name}/`));
      expect(ids.filter((id) => !isOfApp(id))).toEqual([]);
    },
  );
