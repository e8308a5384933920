import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { openConnection } from "../support/raw-http.ts";
import { sharedService } from "../support/shared-service.ts";

for (const driver of DRIVERS.slice(0, 1))
  describe("a request with an odd head", () => {
    const service = sharedService(driver);

    const heads: readonly (readonly [name: string, head: string])[] = [
      ["a Host that is no host", "GET /health HTTP/1.1\r\nHost: %\r\n"],
      ["a Host with a port that is none", "GET /health HTTP/1.1\r\nHost: a:99999\r\n"],
      ["an empty Host", "GET /health HTTP/1.1\r\nHost:\r\n"],
      ["a Host of one letter", "GET /health HTTP/1.1\r\nHost: a\r\n"],
      ["no Host, as HTTP/1.0 has it", "GET /health HTTP/1.0\r\n"],
    ];
    for (const [name, head] of heads)
      test(`${name} is answered like any other, and shows nothing of the service`, async () => {
        using connection = await openConnection(service().url);
        await connection.write(`${head}Connection: close\r\n\r\n`);
        const { status, headers, body } = await connection.answer();
        expect(headers.get("content-type")).toBe("application/json");
        expect([200, 400, 404, 500]).toContain(status);
        expect(Object.keys(JSON.parse(body)).sort()).toEqual(
          status === 200 ? ["rev", "semver", "status"] : ["allowRetry", "error"],
        );
        expect(body).not.toContain("/src/");
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
