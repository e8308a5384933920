import { describe, expect, test } from "bun:test";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const read = (file: string) => Bun.file(join(root, file)).text();

describe(".env.example", () => {
  test("has every variable that the configuration reads, and no other", async () => {
    const source = await read("src/config.ts");
    const variables = [...source.matchAll(/read\.\w+\(\s*"([A-Z][A-Z0-9_]+)"/g)].map(([, name = ""]) => name);
    const documented = [...(await read(".env.example")).matchAll(/^([A-Z][A-Z0-9_]+)=/gm)].map(
      ([, name = ""]) => name,
    );
    expect(documented.toSorted()).toEqual([...new Set(variables)].toSorted());
    expect(new Set(documented).size).toBe(documented.length);
  });
});
