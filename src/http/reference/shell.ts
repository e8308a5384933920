/** The page at `/docs`: Scalar, which shows the document. Nothing is loaded from elsewhere. */
import { hashSource } from "../html-page.ts";
import { TITLE } from "./introduction.ts";
import { SAMPLE_URL } from "./samples/call.ts";

/**
 * What of Scalar would call others is off: telemetry, its agent, fonts. The samples get the address of the service, which
 * may be below a path of a proxy's, so that they can be sent as they are. Requests are built by the samples alone, not by Scalar for thirty libraries.
 */
const SCRIPT = `
const response = await fetch("docs/openapi.json");
const text = await response.text();
const base = new URL(".", location.href).href.slice(0, -1);
const content = JSON.parse(text.replaceAll(${JSON.stringify(SAMPLE_URL)}, base));
for (const server of content.servers) server.url = base;
Scalar.createApiReference("#reference", {
  content,
  telemetry: false,
  agent: { disabled: true },
  mcp: { disabled: true },
  withDefaultFonts: false,
  showDeveloperTools: "never",
  hideClientButton: true,
  hiddenClients: true,
  documentDownloadType: "none",
});
`;

const STYLE = `
:root { --scalar-custom-header-height: 2.5rem; }
:root:has(.dark-mode) { color-scheme: dark; }
body.light-mode { --scalar-color-2: #5c5c5c; --scalar-color-3: #696969; } /* enough contrast: WCAG 2.2, 1.4.3 */
body.dark-mode { --scalar-color-3: #929292; }
body { margin: 0; background: var(--scalar-background-1); }
body > header { position: sticky; top: 0; z-index: 20; display: flex; align-items: center; gap: 1.25rem; height: 2.5rem;
  padding: 0 1.25rem; box-sizing: border-box; border-bottom: 1px solid var(--scalar-border-color);
  background: var(--scalar-background-1); font: 0.875rem system-ui, sans-serif; }
body > header a { color: var(--scalar-color-1); text-underline-offset: 0.15em; }
`;

/**
 * Scripts are the file of Scalar and the one above, without `eval`. Scalar sets styles by itself, in elements and
 * attributes that differ with the document, so no hash can name them.
 */
export const DIRECTIVES = [
  `script-src 'self' ${hashSource(SCRIPT)}`,
  "style-src 'unsafe-inline'",
  "connect-src 'self'",
];

/** @param hasPlayground whether `/playground` is served too. */
export function referenceHtml(hasPlayground: boolean): string {
  const playground = hasPlayground ? '\n<a href="playground">Playground</a>' : "";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${TITLE} API</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<header>
<a href="guide">Guide</a>${playground}
<a href="openapi.json">OpenAPI</a>
</header>
<div id="reference"></div>
<noscript>This page needs JavaScript. The <a href="openapi.json">document</a> can be read without.</noscript>
<script src="docs/scalar.js"></script>
<script type="module">${SCRIPT}</script>
</body>
</html>
`;
}
