import { expect, test } from "bun:test";
import { join } from "node:path";
import { DRIVERS } from "../drivers.ts";

if (DRIVERS.some(({ name }) => name === "aws"))
  test("a program that has used the endpoints, as the benchmarks do, ends by itself", async () => {
    const module = join(import.meta.dir, "aws-storage.ts");
    const program = `
    const { newAwsStorage } = await import(${JSON.stringify(module)});
    const storage = await newAwsStorage();
    await storage[Symbol.asyncDispose]();
  `;
    await using child = Bun.spawn([process.execPath, "-e", program], { stderr: "pipe" });
    const said = await new Response(child.stderr).text();
    expect({ said, code: await child.exited }).toEqual({ said: "", code: 0 });
  });
