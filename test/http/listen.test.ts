import { expect, test } from "bun:test";
import { IDLE_TIMEOUT_S } from "../../src/http/listen.ts";
import { DRIVERS } from "../drivers.ts";
import { multipartBody, multipartType, part } from "../support/multipart-body.ts";
import { head, openConnection } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";

const LOAD_BALANCER_IDLE_S = 60;
/** By then the runtime closes a connection that is silent for a second, as it does not measure exactly. */
const CLOSED_AFTER_MS = 5_000;

test("connections stay open for longer than common load balancers keep them", () => {
  expect(IDLE_TIMEOUT_S).toBeGreaterThan(LOAD_BALANCER_IDLE_S + 10);
});

for (const driver of DRIVERS.slice(0, 1))
  test("an upload may be silent for longer than a connection without a request", async () => {
    await using service = await startService(driver, { idleTimeoutS: 1 });
    using idle = await openConnection(service.url);
    await idle.write(head("GET", "/health", {}));
    using upload = await openConnection(service.url);
    const body = multipartBody([part("payload", "{}"), part("backup", new Uint8Array(100_000))]);
    const headers = { "content-type": multipartType(), "content-length": body.length };
    await upload.write(head("POST", "/v1/create", headers));
    await upload.write(body.subarray(0, 50_000));
    await idle.ended();
    await Bun.sleep(CLOSED_AFTER_MS);
    await upload.write(body.subarray(50_000));
    expect((await upload.answer()).status).toBe(400); // of the payload
    await upload.ended(); // its connection is idle now
  });
