import { describe } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { blobsContract } from "./blobs.ts";
import { damageContract } from "./blobs-damage.ts";

for (const { name, environment } of DRIVERS)
  describe(`blobs on ${name}`, () => {
    describe("put, get, delete, list", () => blobsContract(environment));
    describe("damage", () => damageContract(environment));
  });
