/**
 * The tools of this suite, each at an exact version: they are fetched once, into a cache of the user's, and never become
 * part of the repository.
 */
import { existsSync } from "node:fs";
import { cp, mkdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { JAVA, requireProgram, type SystemPackage } from "../support/system-packages.ts";

export const GENERATOR_VERSION = "7.25.0";
const GENERATOR = `org.openapitools:openapi-generator-cli:${GENERATOR_VERSION}`;
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "backup-service-clients");

const MAVEN: SystemPackage = { name: "Maven", programs: ["mvn"], aptPackage: "maven" };
const PYTHON_FOLDER = join(import.meta.dir, "python");
const PYTHON: SystemPackage = {
  name: "Python 3 with virtual environments",
  programs: ["python3", "/usr/bin/python3"],
  aptPackage: "python3-venv",
  check: (path) => `${path} -c "import ensurepip, venv"`,
};

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program to its end and returns what it printed. @throws Error with that, if it fails. */
export async function run(command: readonly string[], { cwd, env = {} }: RunOptions = {}): Promise<string> {
  const child = Bun.spawn([...command], {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (status !== 0) throw new Error(`${command.join(" ")} ended with ${status}\n${output}\n${errors}`);
  return output;
}

/** A folder of the cache for what `content` asks for; `fetch` fills it, under its last name only once it is complete. */
async function cached(
  name: string,
  content: string,
  fetch: (folder: string) => Promise<unknown>,
): Promise<string> {
  const folder = join(CACHE, `${name}-${Bun.hash(content).toString(16)}`);
  if (existsSync(folder)) return folder;
  const begun = `${folder}.${process.pid}`;
  await mkdir(begun, { recursive: true });
  await fetch(begun);
  await rename(begun, folder);
  return folder;
}

/** The command that runs OpenAPI Generator. */
export async function openApiGenerator(): Promise<readonly string[]> {
  const java = await requireProgram(JAVA);
  const folder = await cached("generator", GENERATOR, async (target) => {
    const maven = await requireProgram(MAVEN);
    await run([maven, "-q", "dependency:copy", `-Dartifact=${GENERATOR}`, `-DoutputDirectory=${target}`]);
  });
  return [java, "-jar", join(folder, `openapi-generator-cli-${GENERATOR_VERSION}.jar`)];
}

/** The folder with the programs of a virtual environment that has what a file of the folder `python` names. */
export async function pythonPrograms(file = "requirements.txt"): Promise<string> {
  const requirements = join(PYTHON_FOLDER, file);
  const content = await Bun.file(requirements).text();
  // a virtual environment knows its own path, so it is made where it stays
  const folder = join(CACHE, `python-${Bun.hash(content).toString(16)}`);
  const complete = join(folder, "complete");
  if (!existsSync(complete)) {
    await rm(folder, { recursive: true, force: true });
    await run([await requireProgram(PYTHON), "-m", "venv", folder]);
    await run([join(folder, "bin/python"), "-m", "pip", "install", "--quiet", "-r", requirements]);
    await Bun.write(complete, "");
  }
  return join(folder, "bin");
}

/** By file, the lines of Swift that a grammar of Swift does not know. */
export async function swiftErrors(files: readonly string[]): Promise<Readonly<Record<string, string[]>>> {
  const python = join(await pythonPrograms(), "python");
  return JSON.parse(await run([python, join(PYTHON_FOLDER, "parse_swift.py"), ...files]));
}

/** The folder in which the packages of `packageJson` are installed. */
export async function nodePackages(packageJson: string): Promise<string> {
  return cached("packages", await Bun.file(packageJson).text(), async (folder) => {
    await cp(packageJson, join(folder, basename(packageJson)));
    await run([process.execPath, "install", "--ignore-scripts"], { cwd: folder });
  });
}

export interface KotlinCompiler {
  /** Compiles files and folders of sources into a folder of classes. */
  compile(sources: readonly string[], classes: string): Promise<void>;
  /** Runs the function `main` of a file. */
  execute(classes: string, mainClass: string, args: readonly string[]): Promise<string>;
}

/** The compiler and the libraries that a project of Maven names; the compiler is what it has as `provided`. */
export async function kotlinCompiler(pom: string): Promise<KotlinCompiler> {
  const java = await requireProgram(JAVA);
  const folder = await cached("kotlin", await Bun.file(pom).text(), async (target) => {
    const maven = await requireProgram(MAVEN);
    for (const scope of ["provided", "runtime"])
      await run([
        ...[maven, "-q", "-f", pom, "dependency:copy-dependencies"],
        ...[`-DincludeScope=${scope}`, `-DoutputDirectory=${join(target, scope)}`],
      ]);
  });
  const libraries = join(folder, "runtime", "*");
  const jars = [...new Bun.Glob("*.jar").scanSync(join(folder, "runtime"))];
  const plugin = [...new Bun.Glob("kotlin-serialization-*.jar").scanSync(join(folder, "provided"))][0] ?? "";
  return {
    async compile(sources, classes) {
      await run([
        ...[java, "-Xmx1g", "-cp", `${join(folder, "provided", "*")}:${libraries}`],
        ...["org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-nowarn", "-no-stdlib", "-no-reflect"],
        `-Xplugin=${join(folder, "provided", plugin)}`,
        ...["-cp", jars.map((jar) => join(folder, "runtime", jar)).join(":")],
        ...["-d", classes, ...sources],
      ]);
    },
    execute: (classes, mainClass, args) => run([java, "-cp", `${classes}:${libraries}`, mainClass, ...args]),
  };
}
