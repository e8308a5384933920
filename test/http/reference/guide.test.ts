import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createApp } from "../../../src/app.ts";
import { ERROR_CODES, statusOf } from "../../../src/errors.ts";
import { CHAPTERS, readChapter } from "../../../src/http/reference/guide/page.ts";
import { DRIVERS } from "../../drivers.ts";
import { typescriptIn } from "../../support/guide.ts";
import { runBun } from "../../support/run-bun.ts";
import { sharedService } from "../../support/shared-service.ts";

const [driver] = DRIVERS;
if (driver === undefined) throw new Error("no driver");

const ROOT = join(import.meta.dir, "../../..");
const FOLDER = join(ROOT, "src/http/reference/guide");
const TSC = join(ROOT, "node_modules/typescript/bin/tsc");
const BROWSER = [
  "--ignoreConfig",
  "--strict",
  "--noEmit",
  "--target",
  "es2024",
  "--lib",
  "es2024,dom",
  "--types",
  "",
];

const found = (pattern: RegExp, text: string) => [...text.matchAll(pattern)].map(([, name = ""]) => name);

describe("the guide", () => {
  const service = sharedService(driver);
  const page = async () => (await fetch(`${service().url}/guide`)).text();

  test("is a page that may load nothing and run no script", async () => {
    const response = await fetch(`${service().url}/guide`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("content-security-policy")?.split("; ")).toEqual([
      "default-src 'none'",
      expect.stringMatching(/^style-src 'sha256-[\w+/]{43}='$/),
      "img-src data:",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ]);
    const html = await response.text();
    expect(found(/(<script|\ssrc=|@import|\burl\(|\sstyle="|\son\w+=")/g, html)).toEqual([]);
    expect(found(/<link [^>]*href="([^"]*)"/g, html)).toEqual(["data:,"]);
  });

  test("allows its own style by the hash of it", async () => {
    const response = await fetch(`${service().url}/guide`);
    const [style = ""] = found(/<style>(.*)<\/style>/gs, await response.text());
    const hash = new Bun.CryptoHasher("sha256").update(style).digest("base64");
    expect(response.headers.get("content-security-policy")).toContain(`'sha256-${hash}'`);
  });

  test("has an anchor on every heading, and no link leads nowhere", async () => {
    const html = await page();
    const ids = found(/\sid="([^"]+)"/g, html);
    expect(new Set(ids).size).toBe(ids.length);
    const headings = found(/<h[1-6]([^>]*)>/g, html);
    expect(headings.filter((attributes) => !attributes.includes(" id="))).toEqual([]);
    const links = found(/<a [^>]*href="([^"]+)"/g, html).filter((link) => !link.startsWith("https://"));
    const targets = new Set(["docs", ...ids.map((id) => `#${id}`)]);
    expect(links.filter((link) => !targets.has(link))).toEqual([]);
    expect(links.length).toBeGreaterThan(headings.length);
  });

  test("lists its chapters, one after the other", async () => {
    const [nav = ""] = found(/<nav [^>]*>(.*)<\/nav>/gs, await page());
    const titles = found(/^##? (.+)$/gm, (await Promise.all(CHAPTERS.map(readChapter))).join("\n"));
    expect(titles).toHaveLength(CHAPTERS.length);
    const at = titles.map((title) => nav.indexOf(`>${title}</a>`));
    expect(at).not.toContain(-1);
    expect(at).toEqual(at.toSorted((a, b) => a - b));
  });

  test("lists every error code, with what its cells are for those who see no head of the table", async () => {
    const html = await page();
    for (const code of ERROR_CODES) {
      const row = `<tr><td data-column="code"><code>${code}</code></td><td data-column="status">${statusOf(code)}</td>`;
      expect(html.split(row), code).toHaveLength(2);
    }
  });

  test("has every chapter of its folder", async () => {
    const files = await readdir(FOLDER);
    expect(files.filter((file) => file.endsWith(".md")).toSorted()).toEqual([...CHAPTERS].toSorted());
  });

  test("links from chapter to chapter where readers of the files find them", async () => {
    const texts = new Map(
      await Promise.all(CHAPTERS.map(async (file) => [file, await readChapter(file)] as const)),
    );
    const slug = (title: string) =>
      title
        .toLowerCase()
        .replaceAll(/[^\w -]/g, "")
        .replaceAll(" ", "-");
    for (const [file, text] of texts)
      for (const link of found(/\]\(((?!https:)[^)]+)\)/g, text)) {
        const [name = "", anchor = ""] = link.split("#");
        const target =
          texts.get(name === "" ? file : (CHAPTERS.find((chapter) => chapter === name) ?? file)) ?? "";
        expect(found(/^#+ (.+)$/gm, target).map(slug), `${file}: ${link}`).toContain(anchor);
      }
  });

  test("has TypeScript that compiles in a strict project of a browser", async () => {
    await using folder = await typescriptIn(CHAPTERS);
    const files = CHAPTERS.map((chapter) => join(folder.path, `${chapter}.ts`));
    const { status, output } = await runBun([TSC, ...BROWSER, ...files], {});
    expect({ status, output }).toEqual({ status: 0, output: "" });
  });

  test("is linked from the API reference, and is not part of it", async () => {
    const { info, paths } = (await (await fetch(`${service().url}/openapi.json`)).json()) as {
      info: { description: string };
      paths: object;
    };
    expect(info.description).toContain("[guide](guide)");
    expect(Object.keys(paths)).not.toContain("/guide");
  });

  test("is not there where the API reference is not", async () => {
    const { services } = service();
    const config = { ...services.config, apiReference: false };
    const app = createApp({ ...services, apps: [{ ...services, config }] });
    expect((await app.fetch(new Request("http://localhost/guide"), "127.0.0.1")).status).toBe(404);
  });
});
