/** The systems that the one file can be built for. */

/** What Bun calls the systems, by the names that the files have. */
export const TARGETS = {
  "linux-x64": "bun-linux-x64",
  "linux-x64-baseline": "bun-linux-x64-baseline",
  "linux-x64-musl": "bun-linux-x64-musl",
  "linux-arm64": "bun-linux-arm64",
  "linux-arm64-musl": "bun-linux-arm64-musl",
  "darwin-x64": "bun-darwin-x64",
  "darwin-arm64": "bun-darwin-arm64",
  "windows-x64": "bun-windows-x64",
} as const satisfies Record<string, Bun.Build.CompileTarget>;

export type Target = keyof typeof TARGETS;

/** As Docker names the processor. @throws Error */
export function targetOf(name: string): Target {
  const known = Object.keys(TARGETS).filter(isTarget);
  const target = name.replace(/-amd64\b/, "-x64");
  const found = known.find((candidate) => candidate === target);
  if (found === undefined) throw new Error(`--target takes ${known.join(", ")}, not ${name.slice(0, 50)}`);
  return found;
}

function isTarget(name: string): name is Target {
  return Object.hasOwn(TARGETS, name);
}
