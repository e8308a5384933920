/** What a client's author reads who sends a body of the other kind. */
import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { sharedService } from "../support/shared-service.ts";

for (const driver of DRIVERS)
  describe(`a body of the wrong kind (${driver.name})`, () => {
    const service = sharedService(driver);

    const answerTo = async (path: string, init: RequestInit) => {
      const response = await fetch(service().url + path, { method: "POST", ...init });
      return { status: response.status, body: await response.json() };
    };

    for (const path of ["/v1/create", "/v1/sync"])
      test(`JSON to ${path} is answered with the form it takes and the names of its parts`, async () => {
        const headers = { "content-type": "application/json" };
        const message =
          "The body must be multipart/form-data with the parts payload and backup: " +
          "its content-type is not multipart/form-data";
        expect(await answerTo(path, { headers, body: "{}" })).toMatchObject({
          status: 400,
          body: { error: { code: "multipart_error", message } },
        });
      });

    test("a form to a route that takes JSON is answered with application/json", async () => {
      const body = new FormData();
      body.set("payload", "{}");
      const message = expect.stringContaining("application/json");
      expect(await answerTo("/v1/retrieve/challenge/keypair", { body })).toMatchObject({
        status: 415,
        body: { error: { code: "unsupported_media_type", message } },
      });
    });
  });
