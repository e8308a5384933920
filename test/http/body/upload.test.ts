import { describe, expect, test } from "bun:test";
import { withUpload } from "../../../src/http/body/upload.ts";
import { createUploadBudget } from "../../../src/limits/upload-budget.ts";
import { DRIVERS } from "../../drivers.ts";
import { interceptedStores } from "../../support/intercepted-stores.ts";
import { BOUNDARY, multipartBody, multipartType, part } from "../../support/multipart-body.ts";
import { PAYLOAD, schema } from "../../support/read-upload.ts";
import { startService } from "../../support/service.ts";
import { createPayload, newUser, randomBytes, recovered } from "../../support/users.ts";

const MIB = 1024 * 1024;

/** Sends a body in two halves; the second one when `release` is called. */
function halves(url: string, body: Uint8Array, at: number, contentType = multipartType()) {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const stream = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(body.slice(0, at));
      await released;
      controller.enqueue(body.slice(at));
      controller.close();
    },
  });
  const answer = fetch(url, { method: "POST", body: stream, headers: { "content-type": contentType } });
  return { answer, release };
}

for (const driver of DRIVERS)
  describe(`an upload (${driver.name})`, () => {
    test("is on its way to the store before all of it has arrived, when the payload comes first", async () => {
      const { promise: putBegun, resolve } = Promise.withResolvers<void>();
      await using service = await startService(driver, {
        wrapStores: (stores) =>
          interceptedStores(stores, (call, run) => {
            if (call === "blobs.put") resolve();
            return run();
          }),
      });
      const user = newUser(randomBytes(3 * MIB));
      const payload = JSON.stringify(await createPayload(service.client, user));
      const body = multipartBody([part("payload", payload), part("backup", user.backup)]);
      const { answer, release } = halves(`${service.url}/v1/create`, body, MIB);
      await putBegun;
      release();
      expect((await answer).status).toBe(200);
      const { backup } = await recovered(service.client, user);
      expect(Buffer.from(backup, "base64").equals(Buffer.from(user.backup))).toBe(true);
    });

    test("that is malformed after a good beginning leaves nothing", async () => {
      await using service = await startService(driver);
      const user = newUser(randomBytes(2 * MIB));
      const payload = JSON.stringify(await createPayload(service.client, user));
      const whole = multipartBody([part("payload", payload), part("backup", user.backup)]);
      const cut = whole.slice(0, whole.length - BOUNDARY.length - 8);
      const { answer, release } = halves(`${service.url}/v1/create`, cut, MIB);
      release();
      const response = await answer;
      expect(await response.json()).toMatchObject({ error: { code: "multipart_error" } });
      await service.services.background.settled();
      expect(await Array.fromAsync(service.services.stores.blobs.list())).toEqual([]);
      expect((await service.client.create(JSON.parse(payload), user.backup)).status).toBe(200);
    });

    test("reports errors of the upload before those of its proof", async () => {
      await using service = await startService(driver);
      const user = newUser();
      const good = await createPayload(service.client, user);
      const bad = JSON.stringify({ ...good, challengeToken: "garbage" });
      const send = async (body: Uint8Array) => {
        const headers = { "content-type": multipartType() };
        const response = await fetch(`${service.url}/v1/create`, { method: "POST", body, headers });
        const { error }: { error: { code: string } } = JSON.parse(await response.text());
        return error.code;
      };
      const whole = multipartBody([part("payload", bad), part("backup", user.backup)]);
      expect(await send(whole)).toBe("jwt_error");
      expect(await send(whole.slice(0, -10))).toBe("multipart_error");
      expect(await send(multipartBody([part("payload", bad)]))).toBe("missing_backup_field");
      expect(await send(multipartBody([part("payload", bad), part("backup", "")]))).toBe("empty_backup_file");
      const tooMuch = multipartBody([part("payload", bad), part("backup", new Uint8Array(15 * MIB + 1))]);
      expect(await send(tooMuch)).toBe("content_too_large");
    });

    test("is refused before it is read while others take all the memory", async () => {
      await using service = await startService(driver, {
        env: { MAX_IN_FLIGHT_UPLOAD_BYTES: String(17 * MIB) },
      });
      const { client, services } = service;
      const users = [newUser(randomBytes(14 * MIB)), newUser(randomBytes(14 * MIB))] as const;
      const [first, second] = await Promise.all(
        users.map(async (user) => JSON.stringify(await createPayload(client, user))),
      );
      // with the backup first nothing can be passed on before the payload is there
      const held = multipartBody([part("backup", users[0].backup), part("payload", first ?? "")]);
      const { answer, release } = halves(`${service.url}/v1/create`, held, 13.5 * MIB);
      while (services.uploadBudget.heldBytes < 13 * MIB) await new Promise(setImmediate);
      const body = multipartBody([part("backup", users[1].backup), part("payload", second ?? "")]);
      const headers = { "content-type": multipartType() };
      const refused = await fetch(`${service.url}/v1/create`, { method: "POST", body, headers });
      expect({ status: refused.status, retryAfter: refused.headers.get("retry-after") }).toEqual({
        status: 503,
        retryAfter: "1",
      });
      expect(await refused.json()).toMatchObject({
        allowRetry: true,
        error: { code: "service_unavailable" },
      });
      release();
      expect((await answer).status).toBe(200);
      expect((await fetch(`${service.url}/v1/create`, { method: "POST", body, headers })).status).toBe(200);
      expect(await Array.fromAsync(services.stores.blobs.list())).toHaveLength(2);
    });

    test("shares its memory with large JSON bodies", async () => {
      await using service = await startService(driver, {
        env: { MAX_IN_FLIGHT_UPLOAD_BYTES: String(17 * MIB) },
      });
      const { uploadBudget } = service.services;
      const url = `${service.url}/v1/sync/challenge/keypair`;
      const body = Buffer.from(JSON.stringify({ unknown: "x".repeat(1.87 * MIB) }));
      const slow = Array.from({ length: 8 }, () => halves(url, body, 1.8 * MIB, "application/json"));
      while (uploadBudget.heldBytes < 8 * 1.7 * MIB) await new Promise(setImmediate);
      const init = { method: "POST", headers: { "content-type": "application/json" } };
      const refused = await fetch(url, { ...init, body });
      expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
      expect((await fetch(url, { ...init, body: "{}" })).status).toBe(200);
      const chunked = halves(url, Buffer.from("{}"), 1, "application/json");
      chunked.release();
      expect((await chunked.answer).status).toBe(200); // a declared length takes no room
      for (const { release } of slow) release();
      for (const { answer } of slow) expect((await answer).status).toBe(200);
      expect(uploadBudget.heldBytes).toBe(0);
    });
  });

describe("a large upload", () => {
  const LARGE = Buffer.alloc(2 * MIB);
  const request = () =>
    new Request("http://localhost/", {
      method: "POST",
      headers: { "content-type": multipartType() },
      body: new Uint8Array(multipartBody([PAYLOAD, part("backup", LARGE)])),
    });

  test("is refused midway when another body has taken its memory", async () => {
    const budget = createUploadBudget(4 * MIB);
    const other = budget.admit(
      { address: "192.0.2.1", arrival: { stalledMs: 0 }, mayBeUnread: false, end: () => {} },
      1,
    );
    const options = { maxBackupBytes: LARGE.length, budget };
    const error = await withUpload(request(), schema, options, async (_payload, backup) => {
      other.arrived(3 * MIB, 0);
      await Array.fromAsync(backup);
    }).catch((error) => error);
    expect(error.code).toBe("service_unavailable");
    other[Symbol.dispose]();
    expect(budget.heldBytes).toBe(0);
  });

  test("that cannot be stored fails with the error of the store, and is not read further", async () => {
    const budget = createUploadBudget(64 * MIB);
    const options = { maxBackupBytes: LARGE.length, budget };
    let arrived = () => 0;
    const error = await withUpload(request(), schema, options, async (_payload, backup, arrivedBytes) => {
      arrived = arrivedBytes;
      for await (const _chunk of backup) throw new Error("the disk is full");
    }).catch((error) => error);
    expect(error.message).toBe("the disk is full");
    expect(arrived()).toBeLessThan(LARGE.length);
    expect(budget.heldBytes).toBe(0);
  });

  test("reports how much of it has arrived", async () => {
    const options = { maxBackupBytes: LARGE.length, budget: createUploadBudget(64 * MIB) };
    const sizes = await withUpload(request(), schema, options, async (_payload, backup, arrivedBytes) => {
      const size = Buffer.concat(await Array.fromAsync(backup)).length;
      return [size, arrivedBytes()];
    });
    expect(sizes).toEqual([LARGE.length, LARGE.length]);
  });
});
