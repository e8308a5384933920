import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { sharedService } from "../support/shared-service.ts";
import { solved, userWithBackup } from "../support/users.ts";

const JSON_TYPE = { "content-type": "application/json" };

for (const driver of DRIVERS)
  describe(`the id of a request (${driver.name})`, () => {
    const service = sharedService(driver);
    const idFor = async (sent: string) =>
      (await fetch(`${service().url}/health`, { headers: { "x-request-id": sent } })).headers.get(
        "x-request-id",
      );

    for (const id of ["a", "A-Z_0.9", "x".repeat(128)])
      test(`is the client's own: ${id.slice(0, 20)}`, async () => {
        expect(await idFor(id)).toBe(id);
      });

    for (const id of ["x".repeat(129), "a b", "a/b", "a\tb", "ä", '"a"', "a,b", "{}"])
      test(`is the service's own instead of ${JSON.stringify(id).slice(0, 20)}`, async () => {
        const given = await idFor(Buffer.from(id).toString("latin1"));
        expect(given).not.toBe(id);
        expect(given).toMatch(/^[0-9a-f-]{36}$/);
      });

    test("is another one for each request that has none", async () => {
      const ids = await Promise.all(
        Array.from({ length: 20 }, async () =>
          (await fetch(`${service().url}/health`)).headers.get("x-request-id"),
        ),
      );
      expect(new Set(ids).size).toBe(20);
    });

    test("is on answers of every status, also on an empty one", async () => {
      const { url, client } = service();
      const { sync } = await userWithBackup(client);
      const body = JSON.stringify(await solved(client, "delete-backup", sync));
      const init = { method: "POST", body, headers: { ...JSON_TYPE, "x-request-id": "mine" } };
      const done = await fetch(`${url}/v1/delete-backup`, init);
      expect([done.status, done.headers.get("x-request-id"), await done.text()]).toEqual([204, "mine", ""]);
    });
  });
