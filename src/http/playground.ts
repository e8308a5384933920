/**
 * The playground: a page on which a person tries the service in development. It is made on the first request, of the
 * sources in `src/playground` and `src/client`, and loads nothing from elsewhere.
 */
import { fileURLToPath } from "node:url";
import { Elysia } from "elysia";
import { memoise } from "../runtime/memoise.ts";
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

/** Serves the page at `/playground`. */
export function playground() {
  const script = memoise(bundle);
  const page = new URL("page.html", FOLDER);
  const style = new URL("style.css", FOLDER);
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
      async ({ request }) => compressible(request, await script(), "text/javascript; charset=utf-8"),
      hidden,
    );
}

async function bundle(): Promise<string> {
  const entry = fileURLToPath(new URL("main.ts", FOLDER));
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
