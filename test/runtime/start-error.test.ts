import { describe, expect, test } from "bun:test";
import { listeningOn, StartError, usingDataDir } from "../../src/runtime/start-error.ts";

const systemError = (code: string, message: string) => Object.assign(new Error(message), { code });
const failing = (error: Error) => () => {
  throw error;
};

describe("an error at the start", () => {
  for (const [code, sentence] of [
    [
      "EADDRINUSE",
      "port 80 of 0.0.0.0 is in use by another process: end that one, or set PORT to another port",
    ],
    ["EACCES", "this user may not listen on port 80: set PORT to a port above 1023"],
    ["EINVAL", "nothing can listen on port 80 of 0.0.0.0 (refused): change HOST or PORT"],
  ] as const)
    test(`of a port names the variable (${code})`, () => {
      const listen = failing(systemError(code, "refused"));
      expect(() => listeningOn("PORT", "0.0.0.0", 80, listen)).toThrow(new StartError(sentence));
    });

  for (const code of ["EACCES", "EROFS", "ENOSPC", "ENOTDIR", "SQLITE_READONLY", "SQLITE_CANTOPEN"])
    test(`of the data folder names DATA_DIR and keeps its cause (${code})`, async () => {
      const cause = systemError(code, "refused");
      const error = await usingDataDir("/data", async () => failing(cause)()).catch((thrown) => thrown);
      expect(error).toBeInstanceOf(StartError);
      expect(error.message).toBe(
        "DATA_DIR=/data cannot be used (refused): set DATA_DIR to a folder that this user may write",
      );
      expect(error.cause).toBe(cause);
    });

  test("that is not the system's passes as it is", async () => {
    const bug = new TypeError("a bug");
    expect(() => listeningOn("PORT", "0.0.0.0", 80, failing(bug))).toThrow(bug);
    expect(await usingDataDir("/data", async () => failing(bug)()).catch((thrown) => thrown)).toBe(bug);
  });
});
