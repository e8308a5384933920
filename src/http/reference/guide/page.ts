/**
 * The guide for engineers of apps: chapters in markdown, shown as one page. The page loads nothing and runs no script.
 */
import { markdown } from "bun";
import { Elysia } from "elysia";
import { memoise } from "../../../runtime/memoise.ts";
import { SOURCES } from "../../../runtime/source-files.ts";
import { hashSource, htmlPage, pageStyle } from "../../html-page.ts";
import { errorTable } from "../error-guide.ts";

const FOLDER = new URL("http/reference/guide/", SOURCES);

/** The files of the chapters, in the order of the page. */
export const CHAPTERS = [
  "introduction.md",
  "life-of-a-backup.md",
  "sign-a-challenge.md",
  "passkeys.md",
  "accounts.md",
  "account-key.md",
  "material-binding.md",
  "app-attestation.md",
  "errors.md",
  "lost-responses.md",
  "limits.md",
  "generated-clients.md",
  "api-versions.md",
] as const;

const hidden = { detail: { hide: true } };

/** Serves the guide at `/guide`. @param hasPlayground whether `/playground` is served too. */
export function guide(hasPlayground: boolean) {
  const page = memoise(() => guidePage(hasPlayground));
  return new Elysia({ name: "guide" }).get(
    "/guide",
    async ({ request }) => {
      const { html, styleSource } = await page();
      return htmlPage(request, html, [`style-src ${styleSource}`]);
    },
    hidden,
  );
}

/** The text of a chapter, in markdown. */
export function readChapter(file: (typeof CHAPTERS)[number]): Promise<string> {
  return Bun.file(new URL(file, FOLDER)).text();
}

/** A chapter as the page has it: that of errors has the table of all codes, so that none is missing. */
async function shownChapter(file: (typeof CHAPTERS)[number]): Promise<string> {
  const text = await readChapter(file);
  return file === "errors.md" ? `${text}\n${errorTable()}\n` : text;
}

async function guidePage(hasPlayground: boolean) {
  const others = hasPlayground ? ' · <a href="playground">Playground</a> · <a href="./">Start</a>' : "";
  const style = await pageStyle(new URL("style.css", FOLDER));
  const text = (await Promise.all(CHAPTERS.map(shownChapter))).join("\n");
  return {
    html: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Backup Service: guide for app engineers</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the text</a>
<nav aria-label="Chapters">
<p><a href="docs">API reference</a>${others}</p>
${contents(text)}
</nav>
<main id="content" tabindex="-1">
${article(text)}
</main>
</body>
</html>
`,
    styleSource: hashSource(style),
  };
}

/**
 * Links between chapters become links within the page. Code scrolls by keyboard. Each cell of a table has the name of its
 * column, because a phone shows the cells of a row one below the other.
 */
function article(text: string): string {
  const columns: string[] = [];
  let cell = 0;
  const page = new HTMLRewriter()
    .on("a[href*='.md#']", {
      element(link) {
        link.setAttribute("href", (link.getAttribute("href") ?? "").replace(/^[^#]*/, ""));
      },
    })
    .on("pre", {
      element(code) {
        code.setAttribute("tabindex", "0");
      },
    })
    .on("thead", {
      element() {
        columns.length = 0;
      },
    })
    .on("th", {
      element() {
        columns.push("");
      },
      text({ text: part }) {
        columns.push((columns.pop() ?? "") + part);
      },
    })
    .on("tr", {
      element() {
        cell = 0;
      },
    })
    .on("td", {
      element(td) {
        td.setAttribute("data-column", columns[cell++] ?? "");
      },
    });
  return page.transform(markdown.html(text, { headings: true }));
}

/** The headings of chapters, with those of their sections. */
function contents(text: string): string {
  const chapters: { link: string; sections: string[] }[] = [];
  markdown.render(
    text,
    {
      heading(title, { level, id = "" }) {
        const link = `<a href="#${id}">${Bun.escapeHTML(title)}</a>`;
        if (level < 3) chapters.push({ link, sections: [] });
        else chapters.at(-1)?.sections.push(`<li>${link}</li>`);
        return null;
      },
    },
    { headings: { ids: true } },
  );
  const items = chapters.map(({ link, sections }) => {
    const nested = sections.length === 0 ? "" : `<ol>${sections.join("")}</ol>`;
    return `<li>${link}${nested}</li>`;
  });
  return `<ol>${items.join("\n")}</ol>`;
}
