import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { openConnection } from "../support/raw-http.ts";
import { sharedService } from "../support/shared-service.ts";

for (const driver of DRIVERS.slice(0, 1))
  describe("a request with an odd head", () => {
    const service = sharedService(driver);

    const heads: readonly (readonly [name: string, status: number, head: string])[] = [
      ["a Host that is no host", 400, "GET /health HTTP/1.1\r\nHost: %\r\n"],
      ["a Host with a port that is none", 400, "GET /health HTTP/1.1\r\nHost: a:99999\r\n"],
      ["an empty Host", 400, "GET /health HTTP/1.1\r\nHost:\r\n"],
      ["a Host of one letter", 200, "GET /health HTTP/1.1\r\nHost: a\r\n"],
      ["no Host, as HTTP/1.0 has it", 400, "GET /health HTTP/1.0\r\n"],
    ];
    for (const [name, status, head] of heads)
      test(`${name} is answered with ${status}, logged and counted, and shows nothing of the service`, async () => {
        const { services, logged, url } = service();
        const lines = logged.length;
        using connection = await openConnection(url);
        await connection.write(`${head}Connection: close\r\n\r\n`);
        const answer = await connection.answer();
        expect([answer.status, answer.headers.get("content-type")]).toEqual([status, "application/json"]);
        expect(Object.keys(JSON.parse(answer.body)).sort()).toEqual(
          status === 200 ? ["rev", "semver", "status"] : ["allowRetry", "error"],
        );
        expect(answer.body).not.toContain("/src/");
        const [route, code] = status === 200 ? ["/health", undefined] : ["(unmatched)", "invalid_payload"];
        const requestId = answer.headers.get("x-request-id");
        const line = JSON.parse(logged.slice(lines).join(""));
        expect([line.requestId, line.status, line.route, line.code]).toEqual([
          requestId,
          status,
          route,
          code,
        ]);
        expect(await services.metrics.text()).toContain(
          `http_requests_total{method="GET",route="${route}",status="${status}",code="${code ?? ""}"}`,
        );
      });

    test("the same length twice is answered like any other, and logged", async () => {
      using connection = await openConnection(service().url);
      const twice =
        "content-length: 2\r\ncontent-length: 2\r\ncontent-type: application/json\r\nx-request-id: twice\r\n";
      await connection.write(`POST /v1/sync/challenge/keypair HTTP/1.1\r\nhost: a\r\n${twice}\r\n{}`);
      const { status, body } = await connection.answer();
      expect([status, Object.keys(JSON.parse(body))]).toEqual([200, ["challenge", "token"]]);
      const lines = service().logged.filter((line) => line.includes('"requestId":"twice"'));
      expect(lines.map((line) => JSON.parse(line).status)).toEqual([200]);
    });

    test("a path with a slash at its end is another path, for limits and routes alike", async () => {
      for (const path of ["/health/", "/v1/delete-backup/", "/v1/create/challenge/keypair/"]) {
        const response = await fetch(service().url + path, { method: path === "/health/" ? "GET" : "POST" });
        expect({ path, status: response.status }).toEqual({ path, status: 404 });
      }
    });
  });
