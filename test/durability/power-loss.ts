/** Whether acknowledged changes would survive a power failure, from the system calls of the real process. Needs Linux. */
import { mkdtemp, readdir, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/runtime/clock.ts";
import { copyData } from "../../src/storage/local/copy/data.ts";
import { MARK } from "../../src/storage/local/copy/mark.ts";
import type { Report } from "../crash/report.ts";
import { additionIn, deletedBy } from "../crash/scenario.ts";
import { startServerProcess } from "../kill/server-process.ts";
import { type ApiClient, createApiClient } from "../support/api-client.ts";
import { CampaignConditions, MAIN_KINDS } from "../support/campaign-conditions.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import {
  createPayloadOf,
  type MainFactor,
  proven,
  recoveredBy,
  undeletionRequest,
} from "../support/factors.ts";
import { requireProgram, STRACE } from "../support/system-packages.ts";
import {
  addSyncFactorRequest,
  newUser,
  randomBytes,
  resetRequest,
  solved,
  syncPayload,
} from "../support/users.ts";
import { DiskTrace, TRACED_CALLS } from "./disk-trace.ts";

/** A backup that is written at once, and one that is written in chunks. */
const SIZES = [100, 1024 * 1024];
/**
 * A new installation, the same after a shutdown, its copy, and one in development, which first generates its key. They
 * start soon one after the other: what the resets left behind is collected later, by commits that are of no request.
 */
const STARTS = [
  { folder: "new", env: {} },
  { folder: "new", env: {} },
  { folder: "restored", env: {}, copyOf: "new" },
  { folder: "development", env: { APP_ENV: "development", CHALLENGE_TOKEN_KEYS: "", LOG_FORMAT: "json" } },
];
/** Delays syncs, so that an operation that does not wait for its sync ends before it. */
const SLOW_SYNCS = ["-e", "inject=fsync,fdatasync:delay_enter=5000"];

/**
 * @param users how many users change a backup in every way, one after the other, for each start and size. Their main
 *   factors are of every kind, in rotation.
 */
export async function runPowerLoss({
  users,
  env: more = {},
}: {
  readonly users: number;
  readonly env?: Readonly<Record<string, string>>;
}): Promise<Report> {
  const strace = await requireProgram(STRACE);
  // an id_token has whole seconds, and one of the second of a restore counts as one from before it
  await using conditions = new CampaignConditions({ nowMs: () => systemClock.nowMs() + 1_000 });
  const root = await realpath(await mkdtemp(join(tmpdir(), "backup-service-durability-")));
  try {
    // strace escapes other characters
    if (!/^[\w./-]+$/.test(root)) throw new Error(`the name of the temporary folder needs escapes: ${root}`);
    const trace = join(root, "trace");
    const calls = TRACED_CALLS.map((call) => `?${call}`).join(",");
    // -D: the process that we end is the service, not strace
    const under = [strace, "-D", "-f", "-y", "-s", "16", "-o", trace, "-e", `trace=${calls}`, ...SLOW_SYNCS];
    const disks = new Map<string, DiskTrace>();
    const failures: string[] = [];
    let requests = 0;
    let kindsUsed = 0;
    for (const { folder, env, copyOf } of STARTS) {
      const dataDir = join(root, folder, "made by the service");
      if (copyOf !== undefined)
        await copyData({ source: join(root, copyOf, "made by the service"), target: dataDir });
      const storage = {
        env: { STORAGE_DRIVER: "local", DATA_DIR: dataDir, ...conditions.issuer.env, ...env, ...more },
      };
      const server = await startServerProcess(storage, under);
      try {
        const client = createApiClient({ url: server.url, onExchange: () => requests++ });
        for (let user = 0; user < users; user++)
          for (const bytes of SIZES) {
            const kind = MAIN_KINDS[kindsUsed++ % MAIN_KINDS.length] ?? "keypair";
            await changeEverything(client, () => conditions.newMain(kind), bytes);
          }
      } catch (error) {
        await server.kill();
        throw error;
      }
      const exitCode = await server.terminate();
      if (exitCode !== 0) failures.push(`the process ended with ${exitCode}`);
      if ((await readdir(dataDir)).includes(MARK)) failures.push("the folder is still marked as a copy");
      const disk = disks.get(folder) ?? new DiskTrace(dataDir);
      disks.set(folder, disk);
      disk.startProcess();
      for (const line of (await readFile(trace, "utf8")).split("\n")) disk.read(line);
    }

    const all = [...disks.values()];
    failures.push(...all.flatMap(({ losses }) => losses));
    const cases = all.reduce((sum, { answers }) => sum + answers, 0);
    if (cases !== requests) failures.push(`the traces show ${cases} answers to ${requests} requests`);
    const sum = (kind: keyof DiskTrace["syncs"]) => all.reduce((total, { syncs }) => total + syncs[kind], 0);
    const notes = { database: sum("database"), ciphertexts: sum("ciphertext"), folders: sum("folder") };
    for (const [kind, count] of Object.entries(notes))
      if (count === 0) failures.push(`the traces show no sync of the ${kind}`);
    if (kindsUsed < MAIN_KINDS.length) failures.push(`only ${kindsUsed} kinds of main factors were used`);
    return { cases, failures, notes };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Sends every kind of request that changes a backup, one after the other. */
async function changeEverything(client: ApiClient, newMain: () => MainFactor, bytes: number): Promise<void> {
  const newOwner = async () => {
    const user = { ...newUser(randomBytes(bytes)), main: newMain() };
    (await client.create(await createPayloadOf(client, user), user.backup)).ok();
    return user;
  };
  const user = await newOwner();
  const { syncFactorToken } = await recoveredBy(client, user.main);
  const device = await addSyncFactorRequest(client, createFactorKeypair(), syncFactorToken);
  (await client.addSyncFactor(device)).ok();
  const addition = await additionIn({ client, clock: systemClock }, user.main, newMain());
  const { factorId } = (await client.addFactor(addition)).ok();
  (await client.sync(await syncPayload(client, user), randomBytes(bytes))).ok();
  // by a recovery, since a device that reads the metadata has its last use noted after the response
  const { manifestHash, versions } = (await recoveredBy(client, user.main)).metadata;
  const versionId = versions[0]?.versionId ?? "";
  const restoration = await solved(client, "restore-version", user.sync, { versionId });
  (await client.restoreVersion({ ...restoration, versionId, currentManifestHash: manifestHash })).ok();
  (await client.verifyFactor(await proven(client, "verify-factor", user.main))).ok();
  const proof = await solved(client, "delete-factor", user.sync, { factorId });
  (await client.deleteFactor({ ...proof, factorId, scope: "MAIN" })).ok();
  await deletedBy(client, user);
  (await client.undelete(await undeletionRequest(client, user))).ok();
  (await client.reset(await resetRequest(client, user))).ok();

  const other = await newOwner();
  (await client.reset(await resetRequest(client, other))).ok();
}
