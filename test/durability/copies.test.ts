/** Whether a copy is durable when it is reported, from the system calls of backup-data. Needs Linux. */
import { describe, expect, test } from "bun:test";
import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DRIVERS } from "../drivers.ts";
import { dropRecord, newStores, storeBackup } from "../maintenance/doctor/examined-stores.ts";
import { newLocalStorage } from "../support/local-storage.ts";
import { runBun } from "../support/run-bun.ts";
import { requireProgram, STRACE } from "../support/system-packages.ts";
import { CopyTrace, TRACED_CALLS } from "./copy-trace.ts";

const LIMIT_MS = 600_000; // strace may have to be installed
/** Delays syncs, so that one that is not waited for ends too late. */
const SLOW_SYNCS = "inject=fsync,fdatasync:delay_enter=50000";

if (process.platform === "linux" && DRIVERS.some(({ name }) => name === "local"))
  describe("a copy of a data folder", () => {
    test(
      "is durable when it is reported, and leaves the earlier one whole wherever it is interrupted",
      async () => {
        const strace = await requireProgram(STRACE);
        const root = await realpath(await mkdtemp(join(tmpdir(), "backup-service-durability-")));
        const storage = await newLocalStorage();
        await using stores = await newStores(async () => storage);
        await writeFile(join(storage.dataDir, "a file by the operator"), new Uint8Array(16 * 2 ** 20));
        for (const store of [stores.records, stores.blobs]) await store.markInstallation("id");
        const [target, output] = [join(root, "copies", "copy"), join(root, "trace")];
        const trace = new CopyTrace(target);
        const calls = `trace=${TRACED_CALLS.map((call) => `?${call}`).join(",")}`;
        const options = ["-f", "-y", "-s", "16", "-o", output, "-e", calls, "-e", SLOW_SYNCS];
        for (const ids of [["b1", "b2"], ["b3"]]) {
          for (const id of ids) await storeBackup(stores, id);
          if (ids.includes("b3")) await dropRecord(stores, "b1");
          const command = [...options, process.execPath, "src/cli/backup-data.ts", target];
          const { status, errors } = await runBun(command, { program: strace, env: storage.env });
          expect({ status, errors }).toEqual({ status: 0, errors: "" });
          for (const line of (await readFile(output, "utf8")).split("\n")) trace.read(line);
        }
        expect(trace.losses).toEqual([]);
        expect(trace.counts).toMatchObject({ reports: 2, databases: 2, ciphertexts: 3, deletions: 1 });
        await rm(root, { recursive: true });
      },
      LIMIT_MS,
    );
  });
