/** What `/` responds: in development a page that leads a new user on, elsewhere the API reference where it is served. */
import { Elysia } from "elysia";
import { typed } from "../runtime/program.ts";
import { SOURCES } from "../runtime/source-files.ts";
import { version } from "../runtime/version.ts";
import type { Services } from "../services.ts";
import { hashSource, htmlPage, pageStyle } from "./html-page.ts";

type Config = Services["config"];

const hidden = { detail: { hide: true } };

export function startPage(config: Config) {
  const app = new Elysia({ name: "start-page" });
  if (config.environment === "development")
    return app.get(
      "/",
      async ({ request }) => {
        const style = await pageStyle(new URL("http/start-page.css", SOURCES));
        return htmlPage(request, page(config, style), [`style-src ${hashSource(style)}`]);
      },
      hidden,
    );
  return config.apiReference ? app.get("/", () => Response.redirect("docs", 302), hidden) : app;
}

const page = (config: Config, style: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Backup Service: development</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main>
<h1>Backup Service</h1>
<p>Version ${version}, in development.</p>
<ul class="ways">
${ways(config)}
</ul>
<h2>At a terminal</h2>
<p>This command goes through the life of a backup and prints every request with its response:</p>
<pre tabindex="0"><code>${typed("demo")}</code></pre>
<h2>Settings</h2>
<table>
${settings(config)}
</table>
<p><code>.env.example</code> explains every variable; <code>.env</code> sets them.</p>
</main>
</body>
</html>
`;

function ways({ apiReference }: Config): string {
  const way = (path: string, name: string, text: string) =>
    `<li><a href="${path}">${name}</a><p>${text}</p></li>`;
  return [
    way(
      "playground",
      "Playground",
      "Create a backup in this browser, recover it as a new device, see each request.",
    ),
    ...(apiReference
      ? [
          way(
            "guide",
            "Guide",
            "How an app signs, recovers and syncs: in Swift, Kotlin, TypeScript and Python.",
          ),
          way("docs", "API reference", "Every operation, with a request, its response and its errors."),
        ]
      : []),
  ].join("\n");
}

const ATTESTATION = {
  enforce: "required",
  report: "not required; the log says what would be refused",
  off: "not verified",
} as const;

function settings({ storage, webauthn, oidc, attestation, server }: Config): string {
  const providers = Object.entries({ Google: oidc.google, Apple: oidc.apple })
    .filter(([, provider]) => provider !== null)
    .map(([name]) => name);
  const accounts = oidc.testIssuer
    ? "test accounts, which any client may make up"
    : providers.join(", ") || "none";
  const origins = ["those of this machine", ...server.cors.origins];
  const rows: readonly (readonly [name: string, value: string])[] = [
    ["Storage", storage.driver === "local" ? "a folder of this machine" : "DynamoDB and S3"],
    ["Passkeys are for", webauthn.origins.join(", ")],
    ["Accounts", accounts],
    ["App attestation", ATTESTATION[attestation.mode]],
    ["Web pages that may call it", origins.join(", ")],
  ];
  return rows
    .map(([name, value]) => `<tr><th scope="row">${name}</th><td>${Bun.escapeHTML(value)}</td></tr>`)
    .join("\n");
}
