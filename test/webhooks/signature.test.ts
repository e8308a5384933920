import { describe, expect, setSystemTime, test } from "bun:test";
import { Webhook } from "standardwebhooks";
import { signatureHeaders } from "../../src/webhooks/signature.ts";

const NOW_MS = Date.UTC(2026, 0, 15, 12, 0, 0, 999);
const MESSAGE = {
  id: "01963f2e-0000-7000-8000-000000000001",
  body: '{"type":"backup.recovered","text":"é…"}',
};
const [OLD, NEW, OTHER] = [24, 32, 64].map((length) => Buffer.alloc(length, length)) as [
  Buffer,
  Buffer,
  Buffer,
];

function verified(headers: Record<string, string>, secret: Buffer, body = MESSAGE.body): unknown {
  setSystemTime(NOW_MS);
  try {
    return new Webhook(`whsec_${secret.toString("base64")}`).verify(body, headers);
  } finally {
    setSystemTime();
  }
}

describe("a signature", () => {
  test("is that of the example of the specification", () => {
    const secret = Buffer.from("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64");
    const message = { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", body: '{"test": 2432232314}' };
    expect(signatureHeaders(message, 1_614_265_330_000, [secret])).toEqual({
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
  });

  test("is accepted by another implementation, for each of several secrets", () => {
    const headers = signatureHeaders(MESSAGE, NOW_MS, [NEW, OLD]);
    expect(headers["webhook-signature"].split(" ")).toHaveLength(2);
    for (const secret of [NEW, OLD]) expect(verified(headers, secret)).toEqual(JSON.parse(MESSAGE.body));
  });

  test("is refused with another secret, id, time or body", () => {
    const headers = signatureHeaders(MESSAGE, NOW_MS, [NEW, OLD]);
    expect(() => verified(headers, OTHER)).toThrow("No matching signature");
    expect(() => verified({ ...headers, "webhook-id": "another" }, NEW)).toThrow("No matching signature");
    const later = String(Number(headers["webhook-timestamp"]) + 1);
    expect(() => verified({ ...headers, "webhook-timestamp": later }, NEW)).toThrow("No matching signature");
    expect(() => verified(headers, NEW, `${MESSAGE.body} `)).toThrow("No matching signature");
  });

  test("is refused five minutes later, so that a recorded request is of no use then", () => {
    const headers = signatureHeaders(MESSAGE, NOW_MS - 301_000, [NEW]);
    expect(() => verified(headers, NEW)).toThrow("too old");
  });
});
