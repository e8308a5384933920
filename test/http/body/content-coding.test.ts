import { describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { DRIVERS } from "../../drivers.ts";
import { multipartBody, multipartType, part } from "../../support/multipart-body.ts";
import { sharedService } from "../../support/shared-service.ts";

const UPLOADS = ["/v1/create", "/v1/sync"];

for (const driver of DRIVERS)
  describe(`a body with a content-encoding (${driver.name})`, () => {
    const service = sharedService(driver);

    const send = (path: string, contentEncoding: string, body: Uint8Array) => {
      const type = UPLOADS.includes(path) ? multipartType() : "application/json";
      const headers = { "content-type": type, "content-encoding": contentEncoding };
      return fetch(service().url + path, { method: "POST", headers, body: new Uint8Array(body) });
    };

    test("is refused on every route that reads one, and the answer says what is accepted", async () => {
      const { paths } = (await (await fetch(`${service().url}/openapi.json`)).json()) as {
        paths: Record<string, object>;
      };
      const withBody = Object.keys(paths).filter((path) => "post" in (paths[path] ?? {}));
      expect(withBody.length).toBeGreaterThan(20);
      for (const path of withBody) {
        const answer = await send(path, "gzip", gzipSync("{}"));
        expect({
          path,
          status: answer.status,
          accepted: answer.headers.get("accept-encoding"),
          body: await answer.json(),
        }).toEqual({
          path,
          status: 415,
          accepted: "identity",
          body: {
            allowRetry: false,
            error: { code: "unsupported_media_type", message: "Send the body without content-encoding" },
          },
        });
      }
    });

    for (const coding of ["deflate", "br", "zstd", "GZIP", "identity, gzip", "gzip, identity", "unknown"])
      test(`such as ${coding} is refused`, async () => {
        const answer = await send("/v1/sync/challenge/keypair", coding, Buffer.from("{}"));
        expect([answer.status, answer.headers.get("accept-encoding")]).toEqual([415, "identity"]);
      });

    for (const coding of ["identity", "Identity", "identity, identity", ""])
      test(`such as ${JSON.stringify(coding)} is read`, async () => {
        expect((await send("/v1/sync/challenge/keypair", coding, Buffer.from("{}"))).status).toBe(200);
        const upload = multipartBody([part("payload", "{}"), part("backup", "x")]);
        const answer = await send("/v1/create", coding, upload);
        expect(await answer.json()).toMatchObject({ error: { code: "invalid_payload" } });
      });

    test("is not what other answers with the same code are about", async () => {
      const headers = { "content-type": "text/plain" };
      const answer = await fetch(`${service().url}/v1/reset`, { method: "POST", headers, body: "{}" });
      expect([answer.status, answer.headers.get("accept-encoding")]).toEqual([415, null]);
    });
  });
