import { describe, expect, test } from "bun:test";
import { SAMPLE_URL } from "../../../src/http/reference/samples/call.ts";
import { allExamples } from "../../../src/protocol/examples/all.ts";
import { routes } from "../../../src/routes/index.ts";
import { DRIVERS } from "../../drivers.ts";
import { apiReferenceOf, documentedCodes, requireDocumented } from "../../support/documented-client.ts";
import { head, openConnection } from "../../support/raw-http.ts";
import { startService } from "../../support/service.ts";
import { sharedService } from "../../support/shared-service.ts";

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly requestBody?: Body;
  readonly responses: Readonly<Record<string, Body & { readonly description?: string }>>;
}

interface Body {
  readonly content?: Readonly<Record<string, { readonly example?: unknown }>>;
}

const [driver] = DRIVERS;
if (driver === undefined) throw new Error("no driver");

describe("the API reference", () => {
  const service = sharedService(driver);
  const operations = async (): Promise<[name: string, operation: Operation][]> => {
    const { paths } = await apiReferenceOf(service().url);
    return Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]): [string, Operation] => [
        `${method.toUpperCase()} ${path}`,
        operation as Operation,
      ]),
    );
  };

  test("has every route of the service and no other", async () => {
    const served = routes(service().services).routes.map(({ method, path }) => `${method} ${path}`);
    const documented = (await operations()).map(([name]) => name);
    expect(documented.toSorted()).toEqual(served.toSorted());
    expect(documented.length).toBeGreaterThan(20);
  });

  test("says of each what it is, what it takes and what it answers", async () => {
    for (const [name, { summary, description, tags, requestBody, responses }] of await operations()) {
      expect(summary?.length ?? 0, name).toBeGreaterThan(5);
      expect(description?.length ?? 0, name).toBeGreaterThan(10);
      expect(tags, name).toHaveLength(1);
      const type = /create$|sync$/.test(name) && name.startsWith("POST") && !name.includes("challenge");
      if (name.startsWith("POST"))
        expect(Object.keys(requestBody?.content ?? {}), name).toEqual([
          type && !name.includes("add-") ? "multipart/form-data" : "application/json",
        ]);
      expect(
        Object.keys(responses).filter((status) => status < "300"),
        name,
      ).toHaveLength(1);
      for (const [status, answer] of Object.entries(responses))
        expect(answer.description ?? "", `${name} ${status}`).not.toBe("");
    }
  });

  test("has the errors of every layer at each route that can answer them", async () => {
    const document = await apiReferenceOf(service().url);
    for (const [name] of await operations()) {
      const [method = "", path = ""] = name.split(" ");
      const codes = (status: number) => documentedCodes(document, method, path, status) ?? [];
      expect(codes(408), name).toContain("request_timeout");
      expect(codes(500), name).toContain("internal_server_error");
      expect(codes(503), name).toContain("service_unavailable");
      if (method !== "POST") continue;
      expect(codes(400), name).toContain("invalid_payload");
      expect(codes(413), name).toContain("content_too_large");
    }
  });

  test("shows the example of each operation, request and response", async () => {
    for (const [name, { requestBody, responses }] of await operations()) {
      const example = allExamples.find(({ method, path }) => name === `${method} ${path}`);
      const { request = null, backup, status = 0, response = null } = example ?? {};
      const payload = request === null ? undefined : JSON.parse(request);
      const sent = backup === undefined ? payload : { payload, backup };
      const shown = [requestBody, responses[status]].map(
        (body) => Object.values(body?.content ?? {})[0]?.example,
      );
      expect(shown, name).toEqual([sent, response === null ? undefined : JSON.parse(response)]);
    }
  });

  test("has an example of each error, and nothing that is no JSON", async () => {
    const text = JSON.stringify(await apiReferenceOf(service().url));
    expect(text.includes('"error":{"code":"invalid_payload"')).toBe(true);
    expect(/undefined|\[object Object\]/.test(text)).toBe(false);
  });

  test("detects a response that is not documented", async () => {
    const document = await apiReferenceOf(service().url);
    const answered = (status: number, code: string) => () =>
      requireDocumented(document, {
        method: "POST",
        path: "/v1/backup/status",
        request: {},
        status,
        response: { allowRetry: false, error: { code, message: "" } },
      });
    expect(answered(404, "not_found")).not.toThrow();
    expect(answered(404, "backup_missing")).toThrow("documented are not_found");
    expect(answered(418, "teapot")).toThrow("not documented");
  });

  test("is shown by a page that needs nothing from elsewhere", async () => {
    const { url } = service();
    const response = await fetch(`${url}/docs`);
    const page = await response.text();
    expect(response.headers.get("content-security-policy")?.replace(/'sha256-[^']+'/, "HASH")).toBe(
      "default-src 'none'; script-src 'self' HASH; style-src 'unsafe-inline'; connect-src 'self'; " +
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    const references = [...page.matchAll(/(?:src|href|url)\s*[=:]\s*["']([^"']+)["']/g)].map(
      ([, target = ""]) => target,
    );
    expect(references.length).toBeGreaterThan(2);
    expect(page.replaceAll(SAMPLE_URL, "")).not.toMatch(/https?:\/\//); // which is only compared
    for (const reference of references.filter((target) => !target.startsWith("data:"))) {
      expect(reference).not.toStartWith("/"); // below a path of a proxy it would leave the service
      const asset = await fetch(`${url}/${reference}`);
      expect([reference, asset.status]).toEqual([reference, 200]);
      expect((await asset.text()).length).toBeGreaterThan(100);
    }
    const types = await Promise.all(
      ["/docs", "/docs/scalar.js", "/docs/openapi.json", "/openapi.json"].map(
        async (path) => (await fetch(url + path)).headers.get("content-type")?.split(";")[0],
      ),
    );
    expect(types).toEqual(["text/html", "text/javascript", "application/json", "application/json"]);
  });

  for (const [environment, env, status] of [
    ["production", {}, 404],
    ["production when asked to", { API_REFERENCE: "true" }, 200],
    ["staging", {}, 200],
    ["development", {}, 200],
    ["development when asked not to", { API_REFERENCE: "false" }, 404],
  ] as const)
    test(`is ${status === 200 ? "" : "not "}there in ${environment}`, async () => {
      const [name = ""] = environment.split(" ");
      await using running = await startService(driver, { env: { APP_ENV: name, ...env } });
      for (const path of [
        "/docs",
        "/openapi.json",
        "/openapi-3.0.json",
        "/docs/openapi.json",
        "/docs/scalar.js",
      ])
        expect((await fetch(running.url + path)).status).toBe(status);
      expect((await fetch(`${running.url}/health`)).status).toBe(200);
    });

  test("does not depend on a port or the environment", async () => {
    using connection = await openConnection(service().url);
    await connection.write(head("GET", "/openapi.json", { host: "somewhere.example" }));
    const { status, body } = await connection.answer();
    expect(status).toBe(200);
    expect(body).not.toContain("somewhere.example");
  });
});
