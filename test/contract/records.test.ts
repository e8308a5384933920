import { describe } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { commitContract } from "./records.ts";
import { contentContract } from "./records-content.ts";
import { countersContract } from "./records-counters.ts";
import { lateContract } from "./records-late.ts";
import { noncesContract } from "./records-nonces.ts";
import { racesContract } from "./records-races.ts";
import { releaseContract } from "./records-release.ts";

for (const { name, environment } of DRIVERS)
  describe(`records on ${name}`, () => {
    describe("commit", () => commitContract(environment));
    describe("content", () => contentContract(environment));
    describe("nonces and sync factor tokens", () => noncesContract(environment));
    describe("release", () => releaseContract(environment));
    describe("counters", () => countersContract(environment));
    describe("changes that come late", () => lateContract(environment));
    describe("races", () => racesContract(environment));
  });
