/**
 * The playground: a page on which a person tries the service in development. It is made of the sources in
 * `src/playground` and `src/client` at each request, so that a change shows after a reload. It loads nothing from
 * elsewhere.
 */
import { fileURLToPath } from "node:url";
import { Elysia } from "elysia";
import { SOURCES } from "../runtime/source-files.ts";
import { htmlPage, pageStyle } from "./html-page.ts";
import { compressible } from "./response/compression.ts";

const FOLDER = new URL("playground/", SOURCES);

/** `connect-src`: the page calls this service and no other. Texts never become markup or script. */
const DIRECTIVES = [
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
];

const hidden = { detail: { hide: true } };

/**
 * Serves the page at `/playground`.
 *
 * @param hasTestAccounts whether the service issues id_tokens for test accounts, without which the page offers none.
 * @param folder has the sources of the page.
 */
export function playground(hasTestAccounts: boolean, folder: URL = FOLDER) {
  const page = new URL("page.html", folder);
  const style = new URL("style.css", folder);
  const script = Bun.isStandaloneExecutable
    ? () => Bun.file(new URL("page.js", folder)).text()
    : () => playgroundScript(folder);
  return new Elysia({ name: "playground" })
    .get(
      "/playground",
      async ({ request }) => {
        const html = await Bun.file(page).text();
        return htmlPage(request, hasTestAccounts ? withTestAccounts(html) : html, DIRECTIVES);
      },
      hidden,
    )
    .get(
      "/playground/style.css",
      async ({ request }) => compressible(request, await pageStyle(style), "text/css; charset=utf-8"),
      hidden,
    )
    .get(
      "/playground/page.js",
      async ({ request }) => compressible(request, await script(), "text/javascript; charset=utf-8"),
      hidden,
    );
}

/** The style sheet of the page shows what belongs to accounts. */
function withTestAccounts(html: string): string {
  const rewriter = new HTMLRewriter().on("body", {
    element(body) {
      body.setAttribute("data-test-accounts", "");
    },
  });
  return rewriter.transform(html);
}

/** Bundles the script of the page, which takes about 25 ms. The one file has no sources, so it has the script. */
export async function playgroundScript(folder: URL = FOLDER): Promise<string> {
  const { outputs } = await Bun.build({
    entrypoints: [fileURLToPath(new URL("main.ts", folder))],
    target: "browser",
    format: "esm",
    minify: true,
  });
  const [script] = outputs;
  if (script === undefined) throw new Error("the playground has no script");
  return script.text();
}
