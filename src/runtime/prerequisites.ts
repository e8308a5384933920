/**
 * Checks the prerequisites of every other file: the version of Bun, and the dependencies.
 * Imports only Node's own modules and uses no recent syntax, so that an older Bun can run it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dir, "../..");

export type DependencyKind = "dependencies" | "devDependencies";

interface Manifest {
  readonly version?: string;
  readonly engines: { readonly bun: string };
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

export function readManifest(root: string = ROOT): Manifest {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
}

/** How to update a Bun that is older than `engines` of package.json requires; `null` if it is new enough. */
export function bunProblem(current: string, engines: Manifest["engines"]): string | null {
  const needed = engines.bun.replace(/^[^0-9]*/, "");
  const release = current.replace(/[-+].*$/, "");
  if (release.localeCompare(needed, "en", { numeric: true }) >= 0) return null;
  return (
    `This needs Bun ${needed} or newer, and this is Bun ${current} (${process.execPath}).\n` +
    `Update it with one of: bun upgrade, npm install --global bun@${needed}\n` +
    `Or keep it, and write npx bun@${needed} instead of bun.`
  );
}

/** How to install dependencies that are missing or of another version; `null` if all are installed. */
export function dependencyProblem(kinds: readonly DependencyKind[], root: string = ROOT): string | null {
  const manifest = readManifest(root);
  const wanted = kinds.flatMap((kind) => Object.entries(manifest[kind]));
  const wrong = wanted.filter(([name, version]) => installedVersion(root, name) !== version);
  const [first] = wrong;
  if (first === undefined) return null;
  const [name, version] = first;
  const found = installedVersion(root, name);
  const what = found === null ? "not installed" : `installed as ${found}, and ${version} is needed`;
  const others = wrong.length === 1 ? "" : ` (and ${wrong.length - 1} more)`;
  const variant = kinds.includes("devDependencies") ? "" : " (with --production to run the service only)";
  return (
    `Dependencies are missing: ${name} is ${what}${others}.\n` +
    `Install them with: bun install --frozen-lockfile${variant}`
  );
}

function installedVersion(root: string, name: string): string | null {
  try {
    return JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8")).version;
  } catch {
    return null;
  }
}
