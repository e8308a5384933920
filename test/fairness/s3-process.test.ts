import { expect, test } from "bun:test";
import { startS3Process } from "./s3-process.ts";

test("the S3 of the load is a process of its own, which ends when it is disposed of", async () => {
  let url: string;
  {
    await using s3 = await startS3Process();
    url = s3.url;
    expect(s3.pid).not.toBe(process.pid);
    const response = await fetch(url); // without a signature
    expect([response.status, await response.text()]).toEqual([403, expect.stringContaining("AccessDenied")]);
  }
  await expect(fetch(url)).rejects.toThrow();
});
