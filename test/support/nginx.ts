/** nginx as the README configures it, on free ports of this machine. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCertificate } from "./certificate.ts";
import { freePorts } from "./free-port.ts";
import { NGINX, requireProgram } from "./system-packages.ts";

export interface Nginx extends AsyncDisposable {
  /** Without TLS, for clients that know nothing of the certificate. */
  readonly url: string;
  readonly tlsUrl: string;
  /** The certificate that `tlsUrl` shows, in PEM. */
  readonly certificate: string;
  /** The lines of its error log so far. */
  errors(): Promise<string>;
}

/**
 * Starts nginx with the example of the README, in which only the addresses and the certificate are replaced. It listens
 * without TLS besides.
 *
 * @param serviceUrl where the example expects `127.0.0.1:8000`.
 * @throws Error when nginx refuses the configuration.
 */
export async function startNginx(serviceUrl: string): Promise<Nginx> {
  const program = await requireProgram(NGINX);
  const folder = await mkdtemp(join(tmpdir(), "backup-service-nginx-"));
  const [port, tlsPort] = freePorts(2);
  const errorLog = join(folder, "error.log");
  const { certificate, key } = await createCertificate(folder);

  const example = await exampleOfReadme();
  const site = replacedAll(example, [
    ["server 127.0.0.1:8000;", `server ${new URL(serviceUrl).host};`],
    ["listen 443 ssl;", `listen 127.0.0.1:${tlsPort} ssl; listen 127.0.0.1:${port};`],
    ["/etc/nginx/tls/backup.example.com.pem", certificate],
    ["/etc/nginx/tls/backup.example.com.key", key],
  ]);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${join(folder, name)};`,
  );
  const configuration = [
    "daemon off; master_process off;", // one process, in the foreground and with the rights of the tests
    `pid ${join(folder, "nginx.pid")}; error_log ${errorLog} notice;`,
    "events {}",
    `http { access_log off; ${temporary.join(" ")}\n${site}\n}`,
  ].join("\n");
  const file = join(folder, "nginx.conf");
  await writeFile(file, configuration);
  await run([program, "-t", "-e", errorLog, "-p", folder, "-c", file]);

  const child = Bun.spawn([program, "-e", errorLog, "-p", folder, "-c", file], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  const url = `http://127.0.0.1:${port}`;
  await untilItListens(url, child.exited).catch(async (error: unknown) => {
    throw new Error(`nginx did not start: ${await Bun.file(errorLog).text()}`, { cause: error });
  });
  return {
    url,
    tlsUrl: `https://localhost:${tlsPort}`,
    certificate: await Bun.file(certificate).text(),
    errors: () => Bun.file(errorLog).text(),
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function exampleOfReadme(): Promise<string> {
  const readme = await Bun.file(join(import.meta.dir, "../../README.md")).text();
  const example = /^```nginx\n(.*?)^```$/ms.exec(readme)?.[1];
  if (example === undefined) throw new Error("the README has no example for nginx");
  return example;
}

function replacedAll(text: string, replacements: readonly (readonly [from: string, to: string])[]): string {
  return replacements.reduce((result, [from, to]) => {
    if (!result.includes(from)) throw new Error(`the example does not have "${from}"`);
    return result.replaceAll(from, to);
  }, text);
}

async function run(command: readonly string[]): Promise<void> {
  const child = Bun.spawn([...command], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const output = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")} failed: ${output}`);
}

async function untilItListens(url: string, exited: Promise<number>): Promise<void> {
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  while (!ended) {
    const answer = await fetch(url).catch(() => null);
    if (answer !== null) return;
    await Bun.sleep(20);
  }
  throw new Error("nginx has ended");
}
