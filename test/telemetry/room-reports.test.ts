import { describe, expect, test } from "bun:test";
import { createRoomReports } from "../../src/telemetry/room-reports.ts";
import { DRIVERS } from "../drivers.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { sharedService } from "../support/shared-service.ts";
import { newUser, solved, userWithBackup } from "../support/users.ts";

const MIB = 1024 * 1024;
const JSON_TYPE = { "content-type": "application/json" };

test("requests without room are a warning a minute for each reason", () => {
  const clock = new SettableClock();
  const logged: unknown[] = [];
  const reports = createRoomReports({ warn: (about: object) => void logged.push(about) }, clock);
  for (let time = 0; time < 3; time++) reports.refused("memory");
  reports.refused("disk");
  clock.advance(59_999);
  reports.refused("memory");
  clock.advance(1);
  reports.refused("memory");
  expect(logged).toEqual([
    { reason: "memory", requests: 1 },
    { reason: "disk", requests: 1 },
    { reason: "memory", requests: 4 },
  ]);
});

for (const driver of DRIVERS)
  describe(`the log of requests without room (${driver.name})`, () => {
    const service = sharedService(driver, {
      env: { MAX_IN_FLIGHT_UPLOAD_BYTES: String(17 * MIB), MAX_IN_FLIGHT_ANSWER_BYTES: String(256 * MIB) },
    });
    const after = async (request: () => Promise<number>) => {
      const before = service().logged.length;
      for (let time = 0; time < 2; time++) expect(await request()).toBe(503);
      const lines = service()
        .logged.slice(before)
        .map((line) => JSON.parse(line));
      return lines
        .filter(({ level }) => level !== "info")
        .map(({ level, err, reason }) => ({ level, err, reason }));
    };

    test("has a line without a stack where memory is full", async () => {
      using other = service().services.uploadBudget.admit(
        { address: "", arrival: { stalledMs: 0 }, mayBeUnread: false, end: () => {} },
        0,
      );
      other.arrived(17 * MIB, 17 * MIB);
      const body = "x".repeat(2 * MIB);
      const lines = await after(async () => {
        const url = `${service().url}/v1/retrieve/challenge/keypair`;
        return (await fetch(url, { method: "POST", headers: JSON_TYPE, body })).status;
      });
      expect(lines).toEqual([
        { level: "warn", err: undefined, reason: "Too much is being uploaded at the moment" },
      ]);
    });

    test("has a line without a stack where the disk for responses is full", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client, newUser(new Uint8Array(MIB)));
      const others = Array.from({ length: 4 }, (_, n) =>
        services.responsesInFlight.admit({ backupId: `${n}`, address: `${n}`, bytes: 64 * MIB }),
      );
      const lines = await after(async () => {
        const { status } = await client.retrieve(await solved(client, "retrieve", user.main));
        return status;
      });
      for (const other of others) other.release();
      expect(lines).toEqual([
        { level: "warn", err: undefined, reason: "Too many large responses are being read" },
      ]);
    });
  });
