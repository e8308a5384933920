/** Whether what is answered would outlive a power failure, by the system calls of the real process. Needs Linux. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiClient } from "../../src/cli/api-client.ts";
import { createFactorKeypair } from "../../src/cli/device-keys.ts";
import type { Report } from "../crash/report.ts";
import { startServerProcess } from "../kill/server-process.ts";
import { requireProgram, type SystemPackage } from "../support/system-packages.ts";
import {
  addSyncFactorRequest,
  newUser,
  randomBytes,
  solved,
  syncPayload,
  userWithBackup,
} from "../support/users.ts";
import { DiskTrace, TRACED_CALLS } from "./disk-trace.ts";

const STRACE: SystemPackage = { name: "strace", programs: ["strace"], aptPackage: "strace" };
/** What is written at once, and in pieces. */
const SIZES = [100, 1024 * 1024];

/** A new installation, and one that was shut down before. */
const STARTS = 2;

/** @param users how many people go through the life of a backup, one after the other, for each start and size. */
export async function tryPowerLoss({ users }: { readonly users: number }): Promise<Report> {
  const strace = await requireProgram(STRACE);
  const folder = await mkdtemp(join(tmpdir(), "backup-service-durability-"));
  try {
    const trace = join(folder, "trace");
    const dataDir = join(folder, "made", "by the service");
    const disk = new DiskTrace(dataDir);
    const failures: string[] = [];
    // -D: the process that we end is the service, not strace
    const under = [
      strace,
      "-D",
      "-f",
      "-y",
      "-s",
      "16",
      "-o",
      trace,
      "-e",
      `trace=${TRACED_CALLS.join(",")}`,
    ];
    for (let start = 0; start < STARTS; start++) {
      const server = await startServerProcess({ env: { STORAGE_DRIVER: "local", DATA_DIR: dataDir } }, under);
      const client = new ApiClient({ url: server.url });
      for (let user = 0; user < users; user++) for (const bytes of SIZES) await live(client, bytes);
      const exitCode = await server.terminate();
      if (exitCode !== 0) failures.push(`the process ended with ${exitCode}`);
      for (const line of (await readFile(trace, "utf8")).split("\n")) disk.read(line);
    }
    failures.push(...disk.losses);
    if (disk.answers === 0 || disk.syncs === 0) failures.push("the trace shows no answer, or no sync");
    return { cases: disk.answers, failures, notes: { syncs: disk.syncs } };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Everything that changes a backup. */
async function live(client: ApiClient, bytes: number): Promise<void> {
  const user = await userWithBackup(client, newUser(randomBytes(bytes)));
  const device = createFactorKeypair();
  const { syncFactorToken } = (await client.retrieve(await solved(client, "retrieve", user.main))).ok();
  (await client.addSyncFactor(await addSyncFactorRequest(client, device, syncFactorToken))).ok();
  (await client.sync(await syncPayload(client, user), randomBytes(bytes))).ok();
  (await client.verifyFactor(await solved(client, "verify-factor", user.main))).ok();
  (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
}
