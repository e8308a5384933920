/** Makes the files of the API reference; run by `bun run openapi`. */
import { type AnyElysia, Elysia } from "elysia";
import { type DescribedPaths, openApiDocument } from "./document.ts";
import { asOpenApi30 } from "./openapi-3.0.ts";

/** @returns the text of each file, by its name in this folder. */
export async function generatedDocuments(
  routes: AnyElysia,
  version: string,
): Promise<Readonly<Record<string, string>>> {
  const document = openApiDocument(await describedPaths(routes), version);
  return { "openapi.json": json(document), "openapi-3.0.json": json(asOpenApi30(document)) };
}

/** What the routes say of themselves, as the framework's own plugin collects it. */
async function describedPaths(routes: AnyElysia): Promise<DescribedPaths> {
  const { swagger } = await import("@elysiajs/swagger");
  const described = new Elysia().use(swagger({ specPath: "/openapi.json" })).use(routes);
  const response = await described.handle(new Request("http://localhost/openapi.json"));
  const { paths } = (await response.json()) as { paths: DescribedPaths };
  return paths;
}

function json(document: object): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}

/**
 * The script of the page: the standalone build of Scalar. The package of that build has 261 others, of which none is needed
 * to show a page; this one of the same publisher has the build inside, as the file that it adds to a Fastify server.
 */
export async function scalarScript(): Promise<string> {
  const { default: addRoutes } = await import("@scalar/fastify-api-reference");
  const sent: string[] = [];
  const reply = { header: () => reply, send: (text: string) => sent.push(text) };
  const route = ({ url, handler }: Route) => url.endsWith("/scalar.js") && handler(null, reply);
  addRoutes({ route }, { configuration: { url: "/" } }, () => {});
  const [script] = sent;
  if (script === undefined) throw new Error("@scalar/fastify-api-reference serves no script");
  return script;
}

/** The licence of that script, which goes with every copy. */
export function scalarLicence(): Promise<string> {
  return Bun.file(new URL("../LICENSE", import.meta.resolve("@scalar/fastify-api-reference"))).text();
}

interface Route {
  readonly url: string;
  readonly handler: (request: null, reply: object) => unknown;
}
