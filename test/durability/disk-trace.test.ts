import { describe, expect, test } from "bun:test";
import { DiskTrace } from "./disk-trace.ts";

const WAL = "/data/records.sqlite-wal";
const UNFINISHED = "/data/blobs/tmp/ab12";
const BLOB = "/data/blobs/ab/ab12";

/** A service that makes its folder, stores a ciphertext, commits and responds; then deletes the earlier ciphertext. */
const STEPS = {
  makeFolder: ['7 mkdir("/data", 0700) = 0', "8 fsync(3</>) = 0"],
  makeBlobs: ['7 mkdir("/data/blobs", 0700) = 0', '7 mkdir("/data/blobs/tmp", 0700) = 0'],
  makeLog: [`7 openat(AT_FDCWD</>, "${WAL}", O_RDWR|O_CREAT, 0600) = 4<${WAL}>`],
  syncFolders: ["8 fsync(5</data>) = 0", "8 fsync(6</data/blobs>) = 0"],
  open: [`7 openat(AT_FDCWD</>, "${UNFINISHED}", O_WRONLY|O_CREAT|O_EXCL, 0600) = 9<${UNFINISHED}>`],
  write: [`7 write(9<${UNFINISHED}>, "\\1\\2"..., 100) = 100`],
  sync: [`8 fsync(9<${UNFINISHED}> <unfinished ...>`, "7 close(1) = 0", "8 <... fsync resumed>)     = 0"],
  makeShard: ['7 mkdir("/data/blobs/ab", 0700) = 0', "8 fsync(6</data/blobs>) = 0"],
  rename: [`7 rename("${UNFINISHED}", "${BLOB}") = 0`],
  syncShard: ["8 fsync(6</data/blobs/ab>) = 0"],
  commit: [`7 pwrite64(4<${WAL}>, "\\0\\0"..., 4096, 56) = 4096`],
  syncLog: [`7 fdatasync(4<${WAL}>) = 0`],
  answer: ['7 sendto(10<socket:[23]>, "HTTP/1.1 200 OK\\r"..., 945, MSG_NOSIGNAL, NULL, 0) = 945'],
  deleteOld: ['7 unlink("/data/blobs/cd/cd34") = 0'],
} as const;
type Step = keyof typeof STEPS;

function read(steps: readonly Step[]): DiskTrace {
  const trace = new DiskTrace("/data");
  for (const step of steps) for (const line of STEPS[step]) trace.read(line);
  return trace;
}

const ALL = Object.keys(STEPS) as Step[];

describe("the trace of what is on the disk", () => {
  test("finds nothing lost where all is synced in time", () => {
    const { losses, answers, syncs } = read(ALL);
    expect({ losses, answers, syncs }).toEqual({
      losses: [],
      answers: 1,
      syncs: { database: 1, ciphertext: 1, folder: 5 },
    });
  });

  test.each<[missing: readonly Step[], lost: readonly string[]]>([
    [["sync"], [`${UNFINISHED} gets its name before its content is durable`]],
    [
      ["syncShard"],
      [
        "/data/blobs/ab, changed in line 15, is not durable before a commit may be",
        "/data/blobs/ab, changed in line 15, is not durable when a request is answered",
      ],
    ],
    [["syncLog"], [`${WAL}, changed in line 17, is not durable when a request is answered`]],
    [["syncLog", "answer"], ["/data/blobs/cd/cd34 is deleted before the commit that replaces it is durable"]],
    [["syncFolders"], ["/data, changed in line 5, is not durable when a request is answered"]],
  ])("without %p reports what would be lost", (missing, lost) => {
    const { losses } = read(ALL.filter((step) => !missing.includes(step)));
    expect(losses.map((loss) => loss.replace(/^line \d+: /, ""))).toEqual([...lost]);
  });

  test("does not count a sync that began before the last write", () => {
    const trace = read(ALL.slice(0, ALL.indexOf("sync")));
    for (const line of [
      `8 fsync(9<${UNFINISHED}> <unfinished ...>`,
      `7 write(9<${UNFINISHED}>, "\\3"..., 1) = 1`,
      "8 <... fsync resumed>)     = 0",
      ...STEPS.rename,
    ])
      trace.read(line);
    expect(trace.losses).toHaveLength(1);
  });

  test("counts the mark of a copy as present until its folder is synced", () => {
    for (const isSynced of [true, false]) {
      const trace = new DiskTrace("/data");
      trace.read('7 unlink("/data/.backup-data") = 0');
      if (isSynced) trace.read("8 fsync(5</data>) = 0");
      trace.read(STEPS.answer[0]);
      expect(trace.losses).toHaveLength(isSynced ? 0 : 1);
    }
  });

  test("does not count a sync that failed", () => {
    const trace = read(ALL.slice(0, ALL.indexOf("sync")));
    for (const line of [`8 fsync(9<${UNFINISHED}>) = -1 EIO (Input/output error)`, ...STEPS.rename])
      trace.read(line);
    expect(trace.losses).toHaveLength(1);
  });

  test("reports what is done only after the response", () => {
    const trace = read(ALL);
    trace.read('7 recvfrom(10<socket:[23]>, "", 524288, MSG_DONTWAIT, NULL, NULL) = 0');
    for (const step of ["open", "write", "sync", "rename", "syncShard", "commit", "syncLog"] as const)
      for (const line of STEPS[step]) trace.read(line);
    expect(trace.losses).toEqual([
      `line 27: ${BLOB} gets its name after the response`,
      "line 29: a commit is made after the response",
    ]);
  });

  test("does not report writes of the next request or of the next process", () => {
    const trace = read(ALL);
    trace.read('7 recvfrom(10<socket:[23]>, "POST /v1/sync HT"..., 524288, MSG_DONTWAIT, NULL, NULL) = 300');
    for (const line of [...STEPS.commit, ...STEPS.syncLog, ...STEPS.answer]) trace.read(line);
    trace.startProcess();
    for (const line of [...STEPS.commit, ...STEPS.syncLog]) trace.read(line);
    expect(trace.losses).toEqual([]);
  });

  test("does not report what the process writes after SIGTERM", () => {
    const trace = read(ALL);
    trace.read("7 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=6, si_uid=0} ---");
    for (const line of [...STEPS.commit, ...STEPS.syncLog]) trace.read(line);
    expect(trace.losses).toEqual([]);
  });

  test("reports a log that was removed and created again", () => {
    const trace = read(ALL);
    for (const line of [`7 unlink("${WAL}") = 0`, ...STEPS.makeLog, ...STEPS.answer]) trace.read(line);
    expect(trace.losses).toEqual([
      "line 23: /data, changed in line 22, is not durable when a request is answered",
    ]);
  });
});
