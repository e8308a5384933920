import { describe, expect, test } from "bun:test";
import { join } from "node:path";

describe("the process on the aws driver", () => {
  test("does not start without credentials, and says which variables to set", async () => {
    const started = Bun.spawn([process.execPath, join(import.meta.dir, "../../src/main.ts")], {
      cwd: import.meta.dir, // no .env there
      env: {
        APP_ENV: "development",
        STORAGE_DRIVER: "aws",
        AWS_REGION: "us-east-1",
        BACKUP_S3_BUCKET: "bucket",
        DATA_DIR: join(process.env.TMPDIR ?? "/tmp", "backup-service-no-credentials"),
        HOME: "/nonexistent",
        AWS_EC2_METADATA_DISABLED: "true",
        PORT: "0",
        METRICS_PORT: "0",
      },
      stdout: "pipe",
      stderr: "pipe",
    });
    expect(await new Response(started.stderr).text()).toContain(
      "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    );
    expect(await started.exited).toBe(1);
  });
});
