/**
 * The playground: a page on which a person tries the service in development. It is made of the sources in
 * `src/playground` and `src/client` at each request, so that a change shows after a reload. It loads nothing from
 * elsewhere.
 */
import { fileURLToPath } from "node:url";
import { Elysia } from "elysia";
import { htmlPage, pageStyle } from "./html-page.ts";
import { compressible } from "./response/json-response.ts";

const FOLDER = new URL("../playground/", import.meta.url);

/** `connect-src`: the page calls this service and no other. Texts never become markup or script. */
const DIRECTIVES = [
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
];

const hidden = { detail: { hide: true } };

/** Serves the page at `/playground`. @param folder has its sources. */
export function playground(folder: URL = FOLDER) {
  const page = new URL("page.html", folder);
  const style = new URL("style.css", folder);
  const entry = fileURLToPath(new URL("main.ts", folder));
  return new Elysia({ name: "playground" })
    .get(
      "/playground",
      async ({ request }) => htmlPage(request, await Bun.file(page).text(), DIRECTIVES),
      hidden,
    )
    .get(
      "/playground/style.css",
      async ({ request }) => compressible(request, await pageStyle(style), "text/css; charset=utf-8"),
      hidden,
    )
    .get(
      "/playground/page.js",
      async ({ request }) => compressible(request, await bundle(entry), "text/javascript; charset=utf-8"),
      hidden,
    );
}

/** Takes about 25 ms. */
async function bundle(entry: string): Promise<string> {
  const { outputs } = await Bun.build({
    entrypoints: [entry],
    target: "browser",
    format: "esm",
    minify: true,
  });
  const [script] = outputs;
  if (script === undefined) throw new Error("the playground has no script");
  return script.text();
}
