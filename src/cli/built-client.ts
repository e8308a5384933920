/** Builds the client for apps: ES modules, types, and a bundle for browsers. */
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, normalize } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { ROOT } from "../runtime/prerequisites.ts";
import { wireDeclarations } from "./wire-declarations.ts";

const SOURCE = join(ROOT, "src/client");
/** The account key is an entry of its own, so that its curve is only loaded by those that want it. */
const ENTRIES = ["index", "account-key"];

/** A file of the client. */
export interface BuiltFile {
  /** Its path in the folder. */
  readonly name: string;
  readonly bytes: number;
}

/**
 * Builds the client into a folder, which is emptied first.
 *
 * @throws Error when it does not compile.
 */
export async function buildClient(folder: string): Promise<readonly BuiltFile[]> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const files = [
    ...(await bundle(folder, "[name].js", false)),
    ...(await bundle(folder, "[name].min.js", true)),
    ...(await declarations(folder)),
  ];
  await Bun.write(join(folder, "package.json"), `${JSON.stringify(manifest(), null, 2)}\n`);
  for (const file of ["src/client/README.md", "LICENSE"])
    await cp(join(ROOT, file), join(folder, file.slice(file.lastIndexOf("/") + 1)));
  return files;
}

async function bundle(folder: string, naming: string, minify: boolean): Promise<readonly BuiltFile[]> {
  const { outputs } = await Bun.build({
    entrypoints: ENTRIES.map((entry) => join(SOURCE, `${entry}.ts`)),
    outdir: folder,
    naming,
    minify,
    target: "browser",
    format: "esm",
  });
  return outputs.map(({ path, size }) => ({ name: path.slice(folder.length + 1), bytes: size }));
}

/** Compiles the declarations, and keeps those that the entries need. */
async function declarations(folder: string): Promise<readonly BuiltFile[]> {
  const compiled = await mkdtemp(join(tmpdir(), "client-types-"));
  try {
    const tsc = Bun.spawn([process.execPath, "x", "tsc", "--project", SOURCE, "--outDir", compiled], {
      cwd: ROOT,
      stdout: "pipe",
    });
    if ((await tsc.exited) !== 0) throw new Error(await new Response(tsc.stdout).text());
    await Bun.write(join(compiled, "client/wire.d.ts"), wireDeclarations());
    const kept = new Map<string, string>();
    for (const entry of ENTRIES) await keep(join(compiled, "client"), `${entry}.d.ts`, kept);
    for (const [name, text] of kept) await Bun.write(join(folder, name), text);
    return [...kept].map(([name, text]) => ({ name, bytes: Buffer.byteLength(text) }));
  } finally {
    await rm(compiled, { recursive: true, force: true });
  }
}

/** Keeps a declaration file with all that it imports, by names that any resolution of modules finds. */
async function keep(folder: string, name: string, kept: Map<string, string>): Promise<void> {
  if (kept.has(name)) return;
  if (name.startsWith("..")) throw new Error(`the declarations of the client need ${name}`);
  const text = await Bun.file(join(folder, name)).text();
  kept.set(name, text.replaceAll(/(from ")(\.[^"]+)\.ts"/g, '$1$2.js"'));
  for (const [, imported = ""] of text.matchAll(/from "(\.[^"]+)\.ts"/g))
    await keep(folder, normalize(join(dirname(name), `${imported}.d.ts`)), kept);
}

/** For npm: the folder can be published, or installed as it is. */
function manifest(): object {
  const entry = (name: string) => ({ types: `./${name}.d.ts`, default: `./${name}.js` });
  return {
    name: "backup-service-client",
    version: packageJson.version,
    description: "The client of a backup service for end-to-end-encrypted apps",
    license: packageJson.license,
    type: "module",
    sideEffects: false,
    types: "./index.d.ts",
    exports: { ".": entry("index"), "./account-key": entry("account-key") },
  };
}
