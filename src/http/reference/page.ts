/**
 * The API reference: the OpenAPI document made from the routes, and a page that shows it without the internet. Its
 * packages are development dependencies, so they are loaded by the first request and may be missing.
 */
import { fileURLToPath } from "node:url";
import { type AnyElysia, Elysia } from "elysia";
import { ServiceError } from "../../errors.ts";
import { tags } from "../../protocol/operation.ts";
import { memoise } from "../../runtime/memoise.ts";
import { compressible } from "../response/json-response.ts";
import { addExamples, type OpenApiDocument } from "./examples.ts";

const TITLE = "Backup Service";
const INTRODUCTION = `
Keeps backups of end-to-end-encrypted apps. A device uploads a ciphertext; *factors* decide who may fetch, update or
delete it. Main factors (passkey, Google or Apple account, P-256 keypair) recover and manage a backup, sync factors
(P-256 keypairs, one a device) update it. The service never has a key that decrypts anything.

Every authenticated call takes a challenge first: ask the challenge route of the operation, solve the challenge, and
send the proof together with the token that came with it. A challenge is valid for 15 minutes, one operation and one use;
a call that fails does not consume it. Only a call that ends with 408 (timeout) or 503 (a store did not respond) may have
taken effect; then the same request gets \`already_used\`.

The [guide](/guide) shows how an app signs, what it does when something fails, and what to test.

Every error, from whatever layer, has the shape \`{"allowRetry", "error": {"code", "message"}}\`. Statuses and codes are
stable, messages are not. Unknown members of requests are ignored.
`;

const GENERATOR = "@elysiajs/swagger";
const ASSETS = new Map([
  ["swagger-ui.css", "text/css; charset=utf-8"],
  ["swagger-ui-bundle.js", "text/javascript; charset=utf-8"],
]);

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${TITLE} API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="reference"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#reference", docExpansion: "list", defaultModelsExpandDepth: -1,
  validatorUrl: null, displayRequestDuration: true });
</script>
</body>
</html>
`;

const hidden = { detail: { hide: true } };

/** Whether the packages of the API reference are installed. */
export function isApiReferenceInstalled(): boolean {
  return [GENERATOR, ...[...ASSETS.keys()].map(assetSpecifier)].every((specifier) => {
    try {
      import.meta.resolve(specifier);
      return true;
    } catch {
      return false;
    }
  });
}

/** Responds with 404 and the command that installs the API reference, at the paths where it would be. */
export function missingApiReference() {
  const notInstalled = () => {
    throw new ServiceError(
      "not_found",
      "The API reference is not installed here: run bun install --frozen-lockfile without --production",
    );
  };
  return new Elysia({ name: "missing-api-reference" })
    .get("/docs", notInstalled, hidden)
    .get("/openapi.json", notInstalled, hidden);
}

/** @param routes everything that the document describes. */
export function apiReference(routes: AnyElysia, version: string) {
  const document = memoise(() => openApiDocument(routes, version));
  return new Elysia({ name: "api-reference" })
    .get("/", () => Response.redirect("/docs", 302), hidden)
    .get("/docs", ({ request }) => compressible(request, PAGE, "text/html; charset=utf-8"), hidden)
    .get(
      "/docs/:asset",
      async ({ request, params }) => {
        const contentType = ASSETS.get(params.asset);
        if (contentType === undefined) throw new ServiceError("not_found", "There is nothing at this path");
        const path = fileURLToPath(import.meta.resolve(assetSpecifier(params.asset)));
        const response = await compressible(request, await Bun.file(path).bytes(), contentType);
        response.headers.set("cache-control", "max-age=3600");
        return response;
      },
      hidden,
    )
    .get(
      "/openapi.json",
      async ({ request }) => compressible(request, await document(), "application/json"),
      hidden,
    );
}

function assetSpecifier(asset: string): string {
  return `swagger-ui-dist/${asset}`;
}

async function openApiDocument(routes: AnyElysia, version: string): Promise<string> {
  const { swagger } = await import("@elysiajs/swagger");
  const described = new Elysia()
    .use(
      swagger({
        specPath: "/openapi.json",
        documentation: {
          info: { title: TITLE, description: INTRODUCTION, version, license: { name: "MIT" } },
          tags: [...tags],
        },
      }),
    )
    .use(routes);
  const response = await described.handle(new Request("http://localhost/openapi.json"));
  const document: OpenApiDocument = JSON.parse(await response.text());
  addExamples(document);
  return JSON.stringify(document, onlyJsonBodies);
}

/** The generator offers each validated body as JSON, form and text; the routes take JSON. */
function onlyJsonBodies(key: string, value: unknown): unknown {
  if (key !== "content" || typeof value !== "object" || value === null) return value;
  if (!("application/json" in value)) return value;
  return { "application/json": value["application/json"] };
}
