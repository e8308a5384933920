/** Programs that tests run and that no package registry brings along. */
import { existsSync } from "node:fs";

export interface SystemPackage {
  /** What people call it. */
  readonly name: string;
  /** The names under which the program may be installed; the first that is there is taken. */
  readonly programs: readonly string[];
  /** The package of Debian and Ubuntu that has it. */
  readonly aptPackage: string;
  /** How to do without, if that is possible. */
  readonly otherwise?: string;
  /** A shell command that succeeds if the program at this path is complete, such as one that loads a module. */
  readonly check?: (path: string) => string;
}

export const JAVA: SystemPackage = {
  name: "Java 17 or newer",
  programs: ["java"],
  aptPackage: "default-jre-headless",
  otherwise: "run the tests on the embedded driver only: TEST_DRIVERS=local",
};

export const CHROMIUM: SystemPackage = {
  name: "Chromium",
  programs: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
  aptPackage: "chromium",
};

export const STRACE: SystemPackage = { name: "strace", programs: ["strace"], aptPackage: "strace" };

export const NGINX: SystemPackage = {
  name: "nginx",
  programs: ["nginx", "/usr/sbin/nginx"],
  aptPackage: "nginx",
};

export const CURL: SystemPackage = { name: "curl", programs: ["curl"], aptPackage: "curl" };

export const OPENSSL: SystemPackage = { name: "OpenSSL", programs: ["openssl"], aptPackage: "openssl" };

export const SYSTEMD: SystemPackage = {
  name: "systemd",
  programs: ["systemd-analyze"],
  aptPackage: "systemd",
};

/** The model checker. It writes a program in C, which is compiled. */
export const SPIN: SystemPackage = { name: "Spin", programs: ["spin"], aptPackage: "spin" };
export const C_COMPILER: SystemPackage = {
  name: "a C compiler",
  programs: ["cc", "gcc", "clang"],
  aptPackage: "gcc libc6-dev",
};

export const GO: SystemPackage = {
  name: "Go 1.19 or newer",
  programs: ["go", "/usr/local/go/bin/go"],
  aptPackage: "golang-go",
};

/** With the module that makes keys and signatures. */
export const PYTHON: SystemPackage = {
  name: "Python 3 with its package cryptography",
  programs: ["python3", "/usr/bin/python3"],
  aptPackage: "python3-cryptography",
  check: (path) => `${path} -c "import cryptography"`,
};

/** The first version that has WebCrypto as a global. Bun may have put itself into the path under this name. */
export const NODE: SystemPackage = {
  name: "Node 20 or newer",
  programs: ["node", "/usr/bin/node"],
  aptPackage: "nodejs",
  check: (path) => `${path} -e "process.exit(process.versions.bun || !globalThis.crypto ? 1 : 0)"`,
};

/** What the search and the installation need of the machine. */
export interface Machine {
  which(program: string): string | null;
  /** Whether packages can be installed here without a password: root on Debian or Ubuntu. */
  readonly mayInstall: boolean;
  /** Runs a shell command; returns what it printed when it failed, otherwise `null`. */
  run(command: string): Promise<string | null>;
}

const thisMachine: Machine = {
  which: (program) => Bun.which(program),
  mayInstall: process.getuid?.() === 0 && existsSync("/etc/debian_version"),
  async run(command) {
    const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const child = Bun.spawn(["sh", "-c", `(${command}) 2>&1`], {
      stdin: "ignore",
      stdout: "pipe",
      env: environment,
    });
    const output = await new Response(child.stdout).text();
    return (await child.exited) === 0 ? null : output;
  },
};

/**
 * The path of a program. Where it is missing and can be installed without a password, it is.
 *
 * @throws Error that names the one command to type.
 */
export async function requireProgram(wanted: SystemPackage, machine: Machine = thisMachine): Promise<string> {
  const found = await pathOf(wanted, machine);
  if (found !== null) return found;
  const command = `apt-get update && apt-get install -y ${wanted.aptPackage}`;
  const failure = machine.mayInstall ? await machine.run(command) : null;
  const installed = await pathOf(wanted, machine);
  if (installed !== null) return installed;
  const alternative = wanted.otherwise === undefined ? "" : `, or ${wanted.otherwise}`;
  const reason = failure === null ? "" : `\nThe installation failed: ${failure.slice(-500)}`;
  throw new Error(
    `The tests need ${wanted.name}. Install it with \`${command}\` as root${alternative}${reason}`,
  );
}

async function pathOf({ programs, check }: SystemPackage, { which, run }: Machine): Promise<string | null> {
  for (const program of programs) {
    const path = which(program);
    if (path !== null && (check === undefined || (await run(check(path))) === null)) return path;
  }
  return null;
}
