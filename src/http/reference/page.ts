/**
 * The API reference: the OpenAPI document, and a page that shows it without the internet. The document is a file that
 * `bun run openapi` makes of the routes.
 */
import { fileURLToPath } from "node:url";
import { type AnyElysia, Elysia } from "elysia";
import { ServiceError } from "../../errors.ts";
import { memoise } from "../../runtime/memoise.ts";
import { SOURCES } from "../../runtime/source-files.ts";
import { assetResponse, textAsset } from "../response/asset.ts";
import { compressible } from "../response/json-response.ts";
import { TITLE } from "./introduction.ts";

const ASSETS = new Map([
  ["swagger-ui.css", "text/css; charset=utf-8"],
  ["swagger-ui-bundle.js", "text/javascript; charset=utf-8"],
]);

const LINK_TO_PLAYGROUND = '<p><a href="/playground">Try the operations in the playground</a></p>';

const page = (above: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${TITLE} API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
${above}
<div id="reference"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#reference", docExpansion: "list", defaultModelsExpandDepth: 0,
  validatorUrl: null, displayRequestDuration: true });
</script>
</body>
</html>
`;

const hidden = { detail: { hide: true } };

/** The files of the document, by the paths where they are served. */
const DOCUMENTS = ["/openapi.json", "/openapi-3.0.json"] as const;

/**
 * @param routes everything that clients can call here; the document shows nothing else.
 * @param hasPlayground whether `/playground` is served too.
 */
export function apiReference(routes: AnyElysia, hasPlayground: boolean) {
  const html = page(hasPlayground ? LINK_TO_PLAYGROUND : "");
  const app = new Elysia({ name: "api-reference" })
    .get("/docs", ({ request }) => compressible(request, html, "text/html; charset=utf-8"), hidden)
    .get(
      "/docs/:asset",
      async ({ request, params }) => {
        const contentType = ASSETS.get(params.asset);
        if (contentType === undefined) throw new ServiceError("not_found", "There is nothing at this path");
        const path = fileURLToPath(import.meta.resolve(`swagger-ui-dist/${params.asset}`));
        const response = await compressible(request, await Bun.file(path).bytes(), contentType);
        response.headers.set("cache-control", "max-age=3600");
        return response;
      },
      hidden,
    );
  for (const path of DOCUMENTS) {
    const document = memoise(async () => textAsset(await documentOf(routes, path), "application/json"));
    app.get(path, async ({ request }) => assetResponse(request, await document()), hidden);
  }
  return app;
}

async function documentOf(routes: AnyElysia, file: (typeof DOCUMENTS)[number]): Promise<string> {
  const served = new Set(routes.routes.map(({ path }) => path));
  const document = (await Bun.file(new URL(`http/reference${file}`, SOURCES)).json()) as { paths: object };
  const paths = Object.fromEntries(Object.entries(document.paths).filter(([path]) => served.has(path)));
  return JSON.stringify({ ...document, paths });
}
