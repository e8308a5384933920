import { describe, expect, test } from "bun:test";
import { allOperations, countedAs } from "../../src/protocol/operations.ts";
import { routes } from "../../src/routes/index.ts";
import { DRIVERS } from "../drivers.ts";
import { AttestationIssuer } from "../support/attestation-issuer.ts";
import { startService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { sharedService } from "../support/shared-service.ts";

const [driver] = DRIVERS;
if (driver === undefined) throw new Error("no driver");

describe("the operations of the protocol", () => {
  const service = sharedService(driver, { env: { APP_ENV: "development" } });

  test("are the routes of the service", () => {
    const served = routes(service().services).routes.map(({ method, path }) => `${method} ${path}`);
    const described = allOperations.map(({ method, path }) => `${method} ${path}`);
    expect(described.toSorted()).toEqual(served.toSorted());
    expect(new Set(described).size).toBe(described.length);
  });

  test("ask for an attestation where the protocol says so, and nowhere else", async () => {
    const clock = new SettableClock();
    await using gateway = new AttestationIssuer(clock);
    await using attesting = await startService(driver, { clock, env: gateway.env });
    const asking: string[] = [];
    for (const operation of allOperations) {
      const { method, path } = operation;
      const refused = method === "POST" && (await attesting.client.send(operation, {}));
      if (refused && refused.status >= 400 && refused.code() === "invalid_attestation_token_header")
        asking.push(path);
    }
    expect(asking).toEqual(allOperations.filter(({ attested }) => attested === true).map(({ path }) => path));
    expect(asking).toHaveLength(4);
  });

  test("that hand out challenges count as such, and no others", () => {
    const counted = allOperations.filter(({ path }) => countedAs(path) === "challenge");
    const challenges = allOperations.filter(({ path }) => path.includes("/challenge"));
    expect(counted.map(({ path }) => path)).toEqual(challenges.map(({ path }) => path));
    expect(counted.length).toBe(17);
  });

  test("count as one thing each, and what is no operation as nothing", () => {
    const pathsOf = (kind: string) =>
      allOperations.filter(({ countsAgainst }) => countsAgainst === kind).map(({ path }) => path);
    expect(pathsOf("status")).toEqual(["/v1/backup/status"]);
    expect(pathsOf("create")).toEqual(["/v1/create"]);
    expect(pathsOf("destruction")).toEqual(["/v1/delete-factor", "/v1/delete-backup", "/v1/reset"]);
    expect(countedAs("/v1/backup/status")).toBe("status");
    for (const path of ["/v1/sync", "/v1/sync/challenge", "/v1/backup/status/", "/", "", "__proto__"])
      expect([path, countedAs(path)]).toEqual([path, null]);
  });
});
