import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CLEAN_ENVIRONMENT } from "../support/clean-environment.ts";

test("a process in development logs its URL in readable form", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "backup-service-development-"));
  const child = Bun.spawn(["bun", "src/main.ts"], {
    cwd: join(import.meta.dir, "../.."),
    env: {
      ...CLEAN_ENVIRONMENT,
      APP_ENV: "development",
      PORT: "0",
      METRICS_PORT: "0",
      DATA_DIR: dataDir,
    },
    stdout: "pipe",
  });
  try {
    let written = "";
    for await (const chunk of child.stdout) {
      written += Buffer.from(chunk).toString();
      if (/url.*"http/.test(written)) break;
    }
    expect(written).toContain("the backup service is listening");
    const [, url] = /url.*"(http:[^"]+)"/.exec(written) ?? [];
    expect((await fetch(`${url}/health`)).status).toBe(200);
  } finally {
    child.kill("SIGTERM");
    await child.exited;
    await rm(dataDir, { recursive: true });
  }
  expect(child.exitCode).toBe(0);
});
