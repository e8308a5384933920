/** What the repository says of itself, as far as it can be checked. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { YAML } from "bun";
import packageJson from "../package.json" with { type: "json" };
import { CHAPTERS } from "../src/http/reference/guide/page.ts";

const ROOT = join(import.meta.dir, "..");
const read = (file: string) => Bun.file(join(ROOT, file)).text();
const named = (pattern: RegExp, text: string) => [...text.matchAll(pattern)].map(([, name = ""]) => name);

const DOCUMENTS = [
  "README.md",
  "CHANGELOG.md",
  "deploy/alerts.md",
  "src/README.md",
  "src/client/README.md",
  "src/maintenance/import/README.md",
  ".github/CONTRIBUTING.md",
  ".github/SECURITY.md",
  ...CHAPTERS.map((chapter) => `src/http/reference/guide/${chapter}`),
];

describe.each(DOCUMENTS)("%s", (document) => {
  test("links only to files that exist", async () => {
    const links = named(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g, await read(document));
    expect(links.filter((link) => !existsSync(join(ROOT, dirname(document), link)))).toEqual([]);
  });

  test("names only scripts that package.json has", async () => {
    const scripts = named(/\bbun run ([a-z][\w:-]*)(?![\w./-])/g, await read(document));
    expect(scripts.filter((script) => !(script in packageJson.scripts))).toEqual([]);
  });
});

describe.each(["README.md", ".github/CONTRIBUTING.md"])("%s", (document) => {
  test("names only files and folders that exist", async () => {
    const paths = named(/`((?:src|test)\/[\w./-]*)`/g, await read(document));
    expect(paths.length).toBeGreaterThan(15);
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});

describe("README.md", () => {
  test("names only campaigns that bun run prove runs", async () => {
    const lines = (await read("README.md")).split("\n").filter((line) => line.startsWith("| "));
    const campaigns = lines.flatMap((line) => named(/(?<!\*)\*([^*|]+)\*(?!\*)/g, line));
    const run = named(/name: "([^"]+)"/g, await read("test/prove.ts"));
    expect(campaigns.length).toBeGreaterThan(15);
    expect(campaigns.filter((campaign) => !run.includes(campaign))).toEqual([]);
  });
});

describe(".github/CONTRIBUTING.md", () => {
  test("says to install the version of Bun that package.json asks for", async () => {
    const [version] = named(/--global bun@(\S+)/g, await read(".github/CONTRIBUTING.md"));
    expect(`>=${version}`).toBe(packageJson.engines.bun);
  });
});

describe("CHANGELOG.md", () => {
  test("has the form of Keep a Changelog 1.1.0, with what an update asks for first", async () => {
    const text = await read("CHANGELOG.md");
    const [unreleased, ...versions] = named(/^## (.+)$/gm, text);
    expect(unreleased).toBe("[Unreleased]");
    for (const version of versions) expect(version).toMatch(/^\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}$/);
    expect(versions[0]).toStartWith(`[${packageJson.version}]`);
    const kinds = [
      "To do before an update",
      "Added",
      "Changed",
      "Deprecated",
      "Removed",
      "Fixed",
      "Security",
    ];
    for (const section of text.split(/^## /m).slice(1)) {
      const found = named(/^### (.+)$/gm, section);
      expect(found).toEqual(kinds.filter((kind) => found.includes(kind)));
      expect(found).not.toEqual([]);
    }
  });
});

describe(".github/workflows/ci.yml", () => {
  test("runs what runs on any machine", async () => {
    const { jobs } = YAML.parse(await read(".github/workflows/ci.yml")) as {
      jobs: Record<string, { steps: { run?: string }[] }>;
    };
    expect(jobs.check?.steps.some(({ run }) => run?.endsWith(" bash .ci/run"))).toBe(true);
    expect(await read(".ci/run")).toContain("bun run check:static\nbun run test\n");
  });
});
