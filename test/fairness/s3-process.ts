/**
 * The S3 of the tests in a process of its own: `bun test/fairness/s3-process.ts`. In the process of the honest clients they
 * would wait while it serves the attacker. Prints its URL.
 */
import { startS3Endpoint } from "../support/s3-endpoint.ts";
import { linesOf } from "../support/service-process.ts";

export interface S3Process extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

export async function startS3Process(): Promise<S3Process> {
  const child = Bun.spawn([process.execPath, import.meta.path], {
    stdin: "pipe", // its end ends the process, also where this one is killed
    stdout: "pipe",
    stderr: "inherit",
  });
  const { value: url } = await linesOf(child.stdout).next();
  if (url === undefined) throw new Error("the S3 of the tests did not start");
  return {
    url,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

if (import.meta.main) {
  process.stdin.on("end", () => process.exit()).resume();
  process.stdout.write(`${startS3Endpoint().url}\n`);
}
