/**
 * The playground: a page on which a person tries the service in development. It is made on the first request, of the
 * sources in `src/playground` and `src/client`, and loads nothing from elsewhere.
 */
import { fileURLToPath } from "node:url";
import { Elysia } from "elysia";
import { memoise } from "../runtime/memoise.ts";
import { compressible } from "./response/json-response.ts";

const FOLDER = new URL("../playground/", import.meta.url);

/** `connect-src`: the page calls this service and no other. Texts never become markup or script. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const hidden = { detail: { hide: true } };

/** Serves the page at `/playground`. */
export function playground() {
  const script = memoise(bundle);
  const read = (file: string) => Bun.file(fileURLToPath(new URL(file, FOLDER))).text();
  return new Elysia({ name: "playground" })
    .get(
      "/playground",
      async ({ request }) => {
        const response = await compressible(request, await read("page.html"), "text/html; charset=utf-8");
        response.headers.set("content-security-policy", CONTENT_SECURITY_POLICY);
        response.headers.set("referrer-policy", "no-referrer");
        return response;
      },
      hidden,
    )
    .get(
      "/playground/style.css",
      async ({ request }) => compressible(request, await read("style.css"), "text/css; charset=utf-8"),
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
