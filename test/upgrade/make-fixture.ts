/**
 * `bun test/upgrade/make-fixture.ts VERSION`: has a real service of this code store what people do in three days, on each
 * driver, and writes it to `test/upgrade/fixtures`, so that later versions are tested with it.
 */
import { DRIVERS, type Driver } from "../drivers.ts";
import { addFactor } from "../support/additions.ts";
import {
  createPayloadOf,
  type FactorUser,
  type MainFactor,
  proven,
  recoveredBy,
  removeFactor,
} from "../support/factors.ts";
import { OidcIssuer } from "../support/oidc-issuer.ts";
import { startService, type TestService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { addSyncFactorRequest, metadataOf, randomBytes, solved, syncPayload } from "../support/users.ts";
import { dumpableStorage, writeFixture } from "./fixture.ts";
import {
  factorOf,
  keypairOf,
  newContent,
  type SavedFactor,
  type SavedKey,
  type SavedPerson,
  savedAccount,
  savedKey,
  savedKeypair,
  savedPasskey,
  userOf,
} from "./people.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const HOUR_MS = 60 * 60 * 1000;

/** Nothing listens there, so that events wait. */
const UNREACHABLE = {
  WEBHOOK_URL: "https://127.0.0.1:9/",
  WEBHOOK_SECRETS: `whsec_${Buffer.alloc(32, 1).toString("base64")}`,
};

interface Plan {
  readonly name: string;
  readonly main: readonly SavedFactor[];
  readonly removesMain?: boolean;
  readonly isDeleted?: boolean;
}

const PLANS: readonly Plan[] = [
  { name: "a keypair", main: [savedKeypair()] },
  { name: "a synchronised passkey", main: [savedPasskey("ES256", false)] },
  { name: "a passkey of one device", main: [savedPasskey("ES256", true)] },
  { name: "an RSA passkey", main: [savedPasskey("RS256", false)] },
  { name: "a Google account", main: [savedAccount("GOOGLE")] },
  { name: "an Apple account", main: [savedAccount("APPLE")] },
  {
    name: "main factors of every kind, after the removal of one",
    main: [savedPasskey("ES256", false), savedKeypair(), savedAccount("GOOGLE"), savedKeypair()],
    removesMain: true,
  },
  { name: "a deleted backup with a passkey", main: [savedPasskey("ES256", false)], isDeleted: true },
  { name: "a deleted backup with a keypair", main: [savedKeypair()], isDeleted: true },
];

/** A person in the course of the days, with what their devices have. */
interface Living {
  readonly plan: Plan;
  readonly factors: readonly MainFactor[];
  readonly sync: readonly [SavedKey, SavedKey];
  readonly accountSecret: string;
  contents: SavedPerson["contents"];
}

const [version, ...others] = process.argv.slice(2);
if (version === undefined || others.length > 0) throw new Error("name the version of this code");
for (const driver of DRIVERS) process.stdout.write(`${await make(driver, version)}\n`);
process.exit(); // the endpoints of the aws driver run on

async function make(driver: Driver, version: string): Promise<string> {
  const clock = new SettableClock();
  await using issuer = new OidcIssuer(clock);
  const { storage, dump } = await dumpableStorage(driver.name);
  await using _storage = storage;
  const start = (env: Readonly<Record<string, string>> = {}) =>
    startService(driver, { storage, clock, env: { ...issuer.env, ...env } });

  const people = PLANS.map((plan) => livingOf(plan, issuer));
  {
    await using service = await start();
    for (const person of people) await firstDay(service, person);
    clock.advance(DAY_MS);
    for (const person of people) await secondDay(service, person);
    clock.advance(DAY_MS);
  }
  const ended = await lastDay(await start(UNREACHABLE), people);
  return writeFixture(driver.name, {
    version,
    endedAtMs: clock.nowMs(),
    people: people.map(savedOf),
    ...ended,
    stored: await dump(),
  });
}

async function lastDay(started: TestService, people: readonly Living[]) {
  await using service = started;
  for (const person of people) await thirdDay(service, person);
  const [first] = people;
  if (first === undefined) throw new Error("there are no people");
  const inFlight = await inFlightOf(service, first);
  await service.services.background.settled();
  const { waiting } = await service.services.stores.records.outbox.backlog();
  return { inFlight, undelivered: waiting };
}

function livingOf(plan: Plan, issuer: OidcIssuer): Living {
  return {
    plan,
    factors: plan.main.map((saved) => factorOf(saved, issuer, 1)),
    sync: [savedKey(), savedKey()],
    accountSecret: Buffer.from(randomBytes(32)).toString("base64"),
    contents: [newContent()],
  };
}

function savedOf({ plan, sync, accountSecret, contents }: Living): SavedPerson {
  const main = plan.removesMain ? plan.main.slice(0, -1) : plan.main;
  return { name: plan.name, accountSecret, main, sync, contents, isDeleted: plan.isDeleted ?? false };
}

function userFrom({ factors, sync, contents, ...person }: Living): FactorUser {
  const [[main], [content]] = [factors, contents];
  if (main === undefined || content === undefined) throw new Error("a person has a factor and a content");
  return userOf(person, main, keypairOf(sync[0]), content);
}

/** Creates the backup, and adds main factors. */
async function firstDay({ client, clock }: TestService, person: Living): Promise<void> {
  const user = userFrom(person);
  const payload = { ...(await createPayloadOf(client, user)), encryptionPublicKey: publicKeyOf(person) };
  (await client.create(payload, user.backup)).ok();
  for (const added of person.factors.slice(1)) {
    clock.advance(1_000); // the log has events of one millisecond in any order
    await addFactor({ client, clock }, user.main, added);
  }
}

/** Another device recovers and joins; the content changes. */
async function secondDay(service: TestService, person: Living): Promise<void> {
  const { client } = service;
  const { syncFactorToken } = await recoveredBy(client, userFrom(person).main);
  const request = await addSyncFactorRequest(client, keypairOf(person.sync[1]), syncFactorToken);
  (await client.addSyncFactor(request)).ok();
  for (let count = 0; count < 2; count++) {
    service.clock.advance(HOUR_MS / 10);
    await change(service, person);
  }
}

/** The content changes once more; a factor is removed; some delete their backups. */
async function thirdDay(service: TestService, person: Living): Promise<void> {
  const { client } = service;
  const { plan } = person;
  await change(service, person);
  const user = userFrom(person);
  if (plan.removesMain) {
    const last = (await metadataOf(client, user)).factors.at(-1);
    (await removeFactor(client, user.sync, last?.id ?? "")).ok();
  }
  if (plan.isDeleted) (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
}

/** 32 bytes of any kind. */
function publicKeyOf({ contents }: Living): string {
  return contents.at(-1)?.manifestHash ?? "";
}

async function change({ client }: TestService, person: Living): Promise<void> {
  const next = newContent();
  const payload = await syncPayload(client, userFrom(person), next.manifestHash);
  const request = { ...payload, encryptionPublicKey: publicKeyOf(person) };
  (await client.sync(request, Buffer.from(next.backup, "base64"))).ok();
  person.contents = [next, ...person.contents];
}

async function inFlightOf({ client }: TestService, person: Living) {
  const { main } = userFrom(person);
  const { syncFactorToken } = await recoveredBy(client, main);
  return {
    verification: await proven(client, "verify-factor", main),
    joining: { syncFactorToken, key: savedKey() },
  };
}
