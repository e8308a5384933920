import { expect, test } from "bun:test";
import { copyRepository } from "../support/repository-copy.ts";

const OWN_TESTS = `
import { expect, test } from "bun:test";
for (let n = 0; n < 100; n++) test("one that passes", () => {});
test("one that fails", () => expect(1).toBe(2));
`;

for (const command of [["run", "test"], ["test"]])
  test(`bun ${command.join(" ")} prints what failed and a summary, and no test that passed`, async () => {
    await using copy = await copyRepository({ files: { "test/own.test.ts": OWN_TESTS } });
    const { status, errors } = await copy.run([...command, "test/own.test.ts"]);
    expect(status).toBe(1);
    expect(errors).toContain("(fail) one that fails");
    expect(errors).not.toContain("one that passes");
    expect(errors).toMatch(/^ 100 pass\n 1 fail\n/m);
  });
