import { describe } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { inspectionContract } from "./inspection.ts";

for (const { name, environment } of DRIVERS)
  describe(`inspecting everything on ${name}`, () => inspectionContract(environment));
