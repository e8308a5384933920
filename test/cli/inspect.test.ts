import { describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Inspection } from "../../src/maintenance/inspect/inspect.ts";
import { DRIVERS } from "../drivers.ts";
import { addFactor } from "../support/additions.ts";
import {
  created,
  createPayloadOf,
  type FactorUser,
  ICLOUD,
  newAccount,
  newFactorUser,
  newKeypair,
  newPasskey,
  recoveredBy,
} from "../support/factors.ts";
import { OidcIssuer } from "../support/oidc-issuer.ts";
import { startService, type TestService } from "../support/service.ts";
import { rewriteMetadata, storedRecord } from "../support/stored.ts";
import { replacedContent, resetRequest, solved } from "../support/users.ts";
import { runCommand } from "./run-command.ts";

const NOBODY = `backup_account_02${"ab".repeat(32)}`;
const UUID = "00000000-0000-4000-8000-000000000000";

for (const driver of DRIVERS)
  describe(`bun run inspect on ${driver.name}`, () => {
    /** A service whose clock is that of the command. */
    async function running(env: Record<string, string> = {}): Promise<TestService> {
      const service = await startService(driver, { env });
      service.clock.set(Date.now());
      return service;
    }

    const inspect = ({ storage }: TestService, ...args: string[]) =>
      runCommand("inspect", storage.env, ...args);

    async function shown(service: TestService, { account }: FactorUser, ...args: string[]) {
      const { status, output, errors } = await inspect(service, account.backupAccountId, "--json", ...args);
      expect(errors).toBe("");
      const document: Inspection & { change: unknown } = JSON.parse(output);
      return { status, document };
    }

    async function deleteIt({ client }: TestService, { sync }: FactorUser) {
      (await client.deleteBackup(await solved(client, "delete-backup", sync))).ok();
    }

    /** Sorted: the clock of the service stands still. */
    const kindsOf = ({ events }: Inspection) => events.map(({ kind }) => String(kind)).toSorted();

    test("shows factors, contents and events, and nothing secret", async () => {
      await using issuer = new OidcIssuer({ nowMs: () => service.clock.nowMs() });
      await using service = await running(issuer.env);
      const { client } = service;
      const passkey = newPasskey();
      const account = newAccount("GOOGLE", issuer);
      const first = await created(client, passkey);
      await addFactor(service, passkey, account, ICLOUD);
      const { user } = await replacedContent(client, first);
      service.clock.advance(1);
      const { metadata } = await recoveredBy(client, account);
      const { status, document } = await shown(service, user);
      expect(status).toBe(0);
      const blob = (size: number) => ({ key: expect.any(String), size, stored: "there" as const });
      const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      const [main, added] = metadata.factors;
      expect(document).toEqual({
        backupId: user.account.backupAccountId,
        backup: {
          changedAt: time,
          metadata: {
            manifestHash: user.manifestHash,
            contentSince: time,
            encryptionKeys: ["PRF", "ICLOUD"],
            mainFactors: [
              {
                factorId: main?.id ?? "",
                kind: "PASSKEY",
                label: expect.any(String),
                account: null,
                createdAt: time,
                lastUsedAt: null,
              },
              {
                factorId: added?.id ?? "",
                kind: "OIDC_ACCOUNT",
                label: null,
                account: { kind: "GOOGLE", maskedEmail: expect.stringContaining("***@mail.example.com") },
                createdAt: time,
                lastUsedAt: null,
              },
            ],
            syncFactors: [
              {
                factorId: metadata.syncFactors[0]?.id ?? "",
                kind: "EC_KEYPAIR",
                label: null,
                account: null,
                createdAt: time,
                lastUsedAt: time,
              },
            ],
          },
          problem: null,
          blob: blob(user.backup.length),
          versions: [
            {
              versionId: metadata.versions[0]?.versionId ?? "",
              manifestHash: first.manifestHash,
              createdAt: time,
              replacedAt: time,
              blob: blob(first.backup.length),
            },
          ],
        },
        problem: null,
        deleted: [],
        moreDeleted: false,
        events: expect.any(Array),
        change: null,
      });
      expect(kindsOf(document)).toEqual([
        "CREATED",
        "ENCRYPTION_KEY_ADDED",
        "MAIN_FACTOR_ADDED",
        "RECOVERED",
      ]);
      const text = await inspect(service, user.account.backupAccountId, "--events", "1");
      expect(text).toMatchObject({ status: 0, errors: "" });
      for (const part of [
        main?.id,
        added?.id,
        "***@mail.example.com",
        "RECOVERED",
        "ago)",
        first.manifestHash,
      ])
        expect(text.output).toContain(part ?? "?");
      expect(text.output).not.toContain("CREATED");

      const { metadata: stored } = await storedRecord(service.services, user.account.backupAccountId);
      for (const output of [text.output, JSON.stringify(document)]) {
        for (const secret of [account.sub, passkey.encryptionKey.encryptedKey, user.sync.publicKey])
          expect(output).not.toContain(String(secret));
        expect(output).not.toMatch(/registration|credential|clientDataJSON|issuer|@(?!mail)/);
      }
      expect(JSON.stringify(stored)).toContain(account.sub); // so it was there to be shown
    });

    test("brings back what a thief has deleted, without the sync factor that did", async () => {
      await using service = await running({
        WEBHOOK_URL: "https://127.0.0.1:9/hook",
        WEBHOOK_SECRETS: `whsec_${Buffer.alloc(32, 1).toString("base64")}`,
      });
      const { client, services, storage } = service;
      const user = await created(client, newKeypair());
      const before = await recoveredBy(client, user.main);
      await deleteIt(service, user);
      const deleted = await shown(service, user);
      expect(deleted).toMatchObject({ status: 0, document: { backup: null } });
      expect(deleted.document.deleted).toHaveLength(1);
      const [state] = deleted.document.deleted;
      expect(state?.deletedBy).toBe(before.metadata.syncFactors[0]?.id ?? "");
      expect(Date.parse(state?.keptUntil ?? "") - Date.parse(state?.deletedAt ?? "")).toBe(7 * 86_400_000);
      expect(kindsOf(deleted.document)).toEqual(["CREATED", "DELETED", "RECOVERED"]);

      const rehearsed = await shown(service, user, "--undelete", "--dry-run");
      const change = { change: "undelete", id: state?.deletionId, refused: null };
      expect(rehearsed).toMatchObject({ status: 0, document: { change: { ...change, dryRun: true } } });
      expect(rehearsed.document.backup).toBeNull();

      const id = user.account.backupAccountId;
      const env = { ...storage.env, WEBHOOK_URL: "https://127.0.0.1:9/hook" };
      const { waiting } = await services.stores.records.outbox.backlog();
      const done = await runCommand("inspect", env, "--undelete", state?.deletionId ?? "", "--json", id);
      expect(done).toMatchObject({ status: 0, errors: "" });
      const { backup, deleted: left, events } = JSON.parse(done.output);
      expect({ left, syncFactors: backup.metadata.syncFactors }).toEqual({ left: [], syncFactors: [] });
      expect(events[0]).toMatchObject({ kind: "UNDELETED", actor: null, client: null });
      expect((await services.stores.records.outbox.backlog()).waiting).toBe(waiting + 1);
      expect((await recoveredBy(client, user.main)).backup).toBe(before.backup);
    });

    test("refuses to bring back what is in use, or is not kept", async () => {
      await using service = await running();
      const { client } = service;
      const user = await created(client, newKeypair());
      await deleteIt(service, user);
      const { account, ...others } = user;
      const renamed = { ...(await created(client, newKeypair())), ...others, account };
      (await client.create(await createPayloadOf(client, renamed), renamed.backup)).ok();
      for (const dryRun of [[], ["--dry-run"]]) {
        const refused = await shown(service, user, "--undelete", ...dryRun);
        expect(refused.status).toBe(1);
        expect(refused.document.change).toMatchObject({
          refused: "There is a backup of this account id already",
        });
        expect(refused.document.deleted).toHaveLength(1);
        const unknown = await shown(service, user, "--undelete", UUID, ...dryRun);
        expect(unknown.document.change).toMatchObject({ id: UUID, refused: expect.stringContaining("kept") });
      }
      (await client.reset(await resetRequest(client, user))).ok();
      const gone = await shown(service, user, "--undelete");
      expect(gone).toMatchObject({ status: 1, document: { backup: null, deleted: [], events: [] } });
    });

    test("refuses to bring back a backup one of whose factors is on another", async () => {
      await using service = await running();
      const { client } = service;
      const user = await created(client, newKeypair());
      await deleteIt(service, user);
      const again = { ...(await created(client, newKeypair())), main: user.main };
      const other = newFactorUser(user.main);
      (await client.create(await createPayloadOf(client, other), again.backup)).ok();
      for (const dryRun of [[], ["--dry-run"]])
        expect((await shown(service, user, "--undelete", ...dryRun)).document).toMatchObject({
          backup: null,
          change: { refused: "The factor is used by a backup already" },
        });
    });

    test("restores a version, and keeps every other", async () => {
      await using service = await running({ VERSIONS_KEEP_LAST: "20" });
      const { client } = service;
      const first = await created(client, newKeypair());
      let user = first;
      for (let count = 0; count < 5; count++) ({ user } = await replacedContent(client, user));
      const { versions } = (await recoveredBy(client, user.main)).metadata;
      const versionId = versions.at(-1)?.versionId ?? "";
      const rehearsed = await shown(service, user, "--restore-version", versionId, "--dry-run");
      expect(rehearsed.document.backup?.metadata?.manifestHash).toBe(user.manifestHash);
      const done = await shown(service, user, "--restore-version", versionId);
      expect(done).toMatchObject({
        status: 0,
        document: { change: { change: "restore-version", id: versionId, dryRun: false, refused: null } },
      });
      expect(done.document.events[0]).toMatchObject({ kind: "VERSION_RESTORED", actor: null });
      const { backup, metadata } = await recoveredBy(client, user.main);
      expect(Buffer.from(backup, "base64")).toEqual(Buffer.from(first.backup));
      expect(metadata.manifestHash).toBe(first.manifestHash);
      expect(metadata.versions).toHaveLength(5);
      expect(metadata.versions[0]?.manifestHash).toBe(user.manifestHash);
      expect((await shown(service, user, "--restore-version", UUID)).document.change).toMatchObject({
        refused: "the backup has no such version",
      });
    });

    test("names a missing ciphertext, and restores no version without one", async () => {
      await using service = await running();
      const { client, services } = service;
      const { user, versionId } = await replacedContent(client, await created(client, newKeypair()));
      const { versions } = await storedRecord(services, user.account.backupAccountId);
      await services.stores.blobs.delete(versions[0]?.blob.key ?? "");
      const { status, document } = await shown(service, user, "--restore-version", versionId);
      expect(status).toBe(1);
      expect(document.change).toMatchObject({ refused: expect.stringContaining("missing") });
      expect(document.backup?.blob.stored).toBe("there");
      expect(document.backup?.versions[0]?.blob.stored).toBe("missing");
      const { output } = await inspect(service, user.account.backupAccountId);
      expect(output).toContain("ciphertext MISSING");
    });

    test("shows what it can of a backup that a newer version has stored, and does not change it", async () => {
      await using service = await running();
      const { client, services } = service;
      const { user, versionId } = await replacedContent(client, await created(client, newKeypair()));
      const id = user.account.backupAccountId;
      const newer = await rewriteMetadata(services, id, (stored) => ({ ...stored, schemaVersion: 99 }));
      const { status, document } = await shown(service, user, "--restore-version", versionId);
      expect(status).toBe(1);
      expect(document.backup).toMatchObject({
        metadata: null,
        problem: expect.stringContaining("schema version 99"),
        blob: { stored: "there" },
        versions: [{ versionId }],
      });
      expect(document.change).toMatchObject({ refused: expect.stringContaining("schema version 99") });
      expect((await storedRecord(services, id)).metadata).toEqual(newer);
      expect((await inspect(service, id)).output).toContain("METADATA CANNOT BE USED");
    });

    test("shows no control characters that a client has sent", async () => {
      await using service = await running();
      const { client, services } = service;
      const user = await created(client, newPasskey());
      const id = user.account.backupAccountId;
      const label = "phone\u001b[2J\u202e\r";
      await rewriteMetadata(services, id, (stored) =>
        JSON.parse(JSON.stringify(stored).replace(/"label":"[^"]*"/, `"label":${JSON.stringify(label)}`)),
      );
      const { output } = await inspect(service, id);
      expect(output).toContain("phone");
      expect(output.replaceAll("\n", "")).not.toMatch(/\p{C}/u);
    });

    test("ends with 1 for an id of which nothing is stored, and with 2 where there is no storage", async () => {
      await using service = await running();
      const nothing = await inspect(service, NOBODY);
      expect(nothing).toMatchObject({ status: 1, errors: "" });
      expect(nothing.output).toContain("there is none now");
      const folder = await mkdtemp(join(tmpdir(), "backup-service-"));
      const elsewhere = { ...service.storage.env, DATA_DIR: folder, DYNAMODB_TABLE_BACKUPS: "no-such-table" };
      expect(await runCommand("inspect", elsewhere, NOBODY)).toMatchObject({ status: 2, output: "" });
      const json = await runCommand("inspect", elsewhere, NOBODY, "--json");
      expect(json).toMatchObject({ status: 2, errors: "" });
      expect(JSON.parse(json.output)).toEqual({ error: expect.any(String) });
      expect(await readdir(folder)).toEqual([]);
      await rm(folder, { recursive: true });
    });
  });

describe("bun run inspect", () => {
  for (const [args, message] of [
    [[], "name one backup"],
    [[NOBODY, NOBODY], "name one backup"],
    [["backup_account_02"], "this is not the id of a backup"],
    [["../../etc/passwd"], "this is not the id of a backup"],
    [[NOBODY, "--dry-run"], "--dry-run is for"],
    [[NOBODY, "--undelete", "latest"], "--undelete takes an id as it is shown, a UUID"],
    [[NOBODY, "--restore-version", "1"], "--restore-version takes an id as it is shown, a UUID"],
    [[NOBODY, "--undelete", "--restore-version", UUID], "two changes"],
    [[NOBODY, "--undelete", "--replace"], "--replace is for --undelete DELETION_ID"],
    [[NOBODY, "--replace"], "--replace is for --undelete DELETION_ID"],
    [[NOBODY, "--events", "-1"], "--events"],
    [[NOBODY, "--events", "1001"], "--events takes a whole number from 0 to 1000"],
    [[NOBODY, "--no-such-option"], "--no-such-option"],
  ] as const)
    test(`refuses ${args.join(" ") || "no arguments"}`, async () => {
      const { status, output, errors } = await runCommand("inspect", {}, ...args);
      expect({ status, output }).toEqual({ status: 2, output: "" });
      expect(errors).toContain(message);
      expect(errors).toContain("Usage: bun run inspect");
    });
});
