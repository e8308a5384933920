import { expect, test } from "bun:test";
import { copyRepository } from "./support/repository-copy.ts";

/** Each would change what some test below expects if it reached a test or a process that a test starts. */
const ENV_FILE = `
LOG_LEVEL=warn
LOG_FORMAT=pretty
APP_ENV=production
PORT=1
RATE_LIMITS=true
export AWS_PROFILE=somebody
AWS_ENDPOINT_URL=http://127.0.0.1:9
BACKUP_S3_BUCKET=theirs
`;

/** Runs in the copy, where Bun has read the file. */
const OWN_TEST = `
import { expect, test } from "bun:test";
test("no variable of a file is left", () => {
  const { LOG_LEVEL, APP_ENV, AWS_PROFILE, BACKUP_S3_BUCKET } = process.env;
  expect({ LOG_LEVEL, APP_ENV, AWS_PROFILE, BACKUP_S3_BUCKET }).toEqual({});
});
`;

test("a developer's .env reaches neither the tests nor the processes that they start", async () => {
  await using copy = await copyRepository({
    files: { ".env": ENV_FILE, ".env.test": "LOG_LEVEL=error\n", "test/own.test.ts": OWN_TEST },
  });
  const files = [
    "test/process/configuration.test.ts",
    "test/process/development.test.ts",
    "test/process/shutdown.test.ts",
    "test/process/reuse-port.test.ts",
    "test/cli/doctor.test.ts",
    "test/own.test.ts",
  ];
  const { status, errors } = await copy.run(["test", "--timeout", "120000", ...files], {
    TEST_DRIVERS: "local",
  });
  expect({ status, errors: status === 0 ? "" : errors }).toEqual({ status: 0, errors: "" });
}, 600_000);
