import { describe } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { collectionContract } from "./collection.ts";
import { deletedStatesContract } from "./deleted-states.ts";
import { eventLogsContract } from "./event-logs.ts";
import { outboxContract } from "./outbox.ts";

for (const { name, environment } of DRIVERS)
  describe(`history on ${name}`, () => {
    describe("deleted states", () => deletedStatesContract(environment));
    describe("logs of events", () => eventLogsContract(environment));
    describe("outbox", () => outboxContract(environment));
    describe("collection", () => collectionContract(environment));
  });
