/**
 * The API reference: the OpenAPI document, and a page that shows it without the internet. The document, and the script of
 * the page, are files that `bun run openapi` makes: of the routes, and of a package that only development needs.
 */
import { type AnyElysia, Elysia } from "elysia";
import { memoise } from "../../runtime/memoise.ts";
import { SOURCES } from "../../runtime/source-files.ts";
import { protectPage } from "../html-page.ts";
import { type Asset, assetResponse, gzippedAsset, textAsset } from "../response/asset.ts";
import { withSamples } from "./samples/samples.ts";
import { DIRECTIVES, referenceHtml } from "./shell.ts";

const hidden = { detail: { hide: true } };

interface Document {
  readonly paths: Readonly<Record<string, object>>;
}

/**
 * @param routes everything that clients can call here; the document shows nothing else.
 * @param hasPlayground whether `/playground` is served too.
 */
export function apiReference(routes: AnyElysia, hasPlayground: boolean) {
  const page = memoise(() => textAsset(referenceHtml(hasPlayground), "text/html; charset=utf-8"));
  const files: Readonly<Record<string, () => Promise<Asset>>> = {
    "/openapi.json": () => json(documentOf(routes, "openapi.json")),
    "/openapi-3.0.json": () => json(documentOf(routes, "openapi-3.0.json")),
    "/docs/openapi.json": () => json(documentOf(routes, "openapi.json").then(withSamples)),
    "/docs/scalar.js": async () =>
      gzippedAsset(await fileOf("scalar.js.gz").bytes(), "text/javascript; charset=utf-8"),
  };
  const app = new Elysia({ name: "api-reference" }).get(
    "/docs",
    async ({ request }) => protectPage(await assetResponse(request, await page()), DIRECTIVES),
    hidden,
  );
  for (const [path, make] of Object.entries(files)) {
    const file = memoise(make);
    app.get(path, async ({ request }) => assetResponse(request, await file()), hidden);
  }
  return app;
}

async function json(document: Promise<object>): Promise<Asset> {
  return textAsset(JSON.stringify(await document), "application/json");
}

/** The document without what this service does not have. */
async function documentOf(routes: AnyElysia, file: string): Promise<Document> {
  const served = new Set(routes.routes.map(({ path }) => path));
  const document: Document = await fileOf(file).json();
  const paths = Object.fromEntries(Object.entries(document.paths).filter(([path]) => served.has(path)));
  return { ...document, paths };
}

function fileOf(name: string) {
  return Bun.file(new URL(`http/reference/${name}`, SOURCES));
}
