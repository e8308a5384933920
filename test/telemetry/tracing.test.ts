import { describe, expect, test } from "bun:test";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import { AttestationIssuer } from "../support/attestation-issuer.ts";
import { startService, type TestServiceOptions } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { replaced } from "../support/store-wrappers.ts";
import { TraceReceiver } from "../support/trace-receiver.ts";
import { newUser, randomBytes, solved, userWithBackup } from "../support/users.ts";
import { startReceiver } from "../webhooks/receivers.ts";

const RETRIEVE = "/v1/retrieve/from-challenge";

/** What is traced by the end of a service that is used. */
async function traced(
  driver: (typeof DRIVERS)[number],
  use: (service: Awaited<ReturnType<typeof startService>>) => Promise<unknown>,
  options: TestServiceOptions = {},
): Promise<TraceReceiver> {
  const receiver = new TraceReceiver();
  {
    await using service = await startService(driver, {
      ...options,
      env: { ...receiver.env, ...options.env },
    });
    await use(service);
  }
  return receiver;
}

const LIFE: Readonly<Record<string, string>> = {
  local: `
POST /v1/create/challenge/keypair
POST /v1/create/challenge/keypair
POST /v1/create
  blobs.put
  records.commit
POST /v1/retrieve/challenge/keypair
POST /v1/retrieve/from-challenge
  records.locate
  records.read
  records.consume
  blobs.get
POST /v1/retrieve/from-challenge
  records.locate`,
  aws: `
POST /v1/create/challenge/keypair
POST /v1/create/challenge/keypair
POST /v1/create
  blobs.put
    AWS PutObject
  records.commit
    AWS TransactWriteItems
POST /v1/retrieve/challenge/keypair
POST /v1/retrieve/from-challenge
  records.locate
    AWS BatchGetItem
  records.read
    AWS GetItem
  records.consume
    AWS TransactWriteItems
  blobs.get
    AWS GetObject
POST /v1/retrieve/from-challenge
  records.locate
    AWS BatchGetItem`,
};

for (const driver of DRIVERS)
  describe(`a trace (${driver.name})`, () => {
    test("has each call of a store, and each request to AWS", async () => {
      using receiver = await traced(driver, async ({ client }) => {
        const user = await userWithBackup(client, newUser(randomBytes(300_000)));
        const proof = await solved(client, "retrieve", user.main);
        expect((await client.retrieve(proof)).status).toBe(200);
        expect((await client.retrieve(proof)).code()).toBe("already_used");
      });
      expect(`\n${receiver.tree}`).toBe(LIFE[driver.name] ?? "");
      expect(receiver.spans.filter(({ parentSpanId }) => parentSpanId === null).at(-1)).toMatchObject({
        name: `POST ${RETRIEVE}`,
        attributes: {
          "http.request.method": "POST",
          "http.route": RETRIEVE,
          "http.response.status_code": 400,
          "error.type": "already_used",
        },
        failed: false,
      });
    });

    test("has the requests for a key set, once for its time", async () => {
      await using gateway = new AttestationIssuer(new SettableClock());
      using receiver = await traced(
        driver,
        async ({ url, client }) => {
          for (const bytes of [1, 2]) {
            const body = JSON.stringify({ bytes });
            const token = gateway.token({ method: "POST", path: RETRIEVE, body });
            const headers = { "content-type": "application/json", "attestation-token": token };
            await fetch(`${url}${RETRIEVE}`, { method: "POST", headers, body });
          }
          await client.backupStatus({ backupId: "backup_account_none" });
        },
        { env: gateway.env },
      );
      expect(receiver.tree).toBe(`POST ${RETRIEVE}\n  GET key set\nPOST ${RETRIEVE}\nPOST /v1/backup/status`);
      expect(receiver.spans.find(({ name }) => name === "GET key set")?.attributes).toEqual({
        "server.address": new URL(gateway.jwks.url).host,
      });
    });

    test("is of its own for each attempt to deliver an event", async () => {
      await using webhook = startReceiver();
      using receiver = await traced(
        driver,
        async ({ client }) => {
          const user = await userWithBackup(client);
          (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
          await webhook.arrived(1);
        },
        {
          env: {
            APP_ENV: "development",
            WEBHOOK_URL: webhook.url,
            WEBHOOK_SECRETS: `whsec_${Buffer.alloc(32, 1).toString("base64")}`,
          },
        },
      );
      const { parentSpanId, attributes } =
        receiver.spans.find(({ name }) => name === "POST webhook") ?? Object.create(null);
      expect([parentSpanId, Object.keys(attributes)]).toEqual([null, ["outcome"]]);
      expect(webhook.received[0]?.headers).not.toHaveProperty("traceparent");
    });

    test("is in the lines of the log, and of a failure has what failed", async () => {
      const lines: string[] = [];
      using receiver = await traced(
        driver,
        async ({ client, logged }) => {
          await client.backupStatus({ backupId: "no id" });
          await client.backupStatus({ backupId: newUser().account.backupAccountId });
          lines.push(...logged);
        },
        {
          wrapStores: ({ records, blobs }) => ({
            records: replaced(records, { read: () => Promise.reject(new StorageUnavailable("down")) }),
            blobs,
          }),
        },
      );
      const [, failed] = receiver.spans.filter(({ parentSpanId }) => parentSpanId === null);
      const read = receiver.spans.find(({ name }) => name === "records.read");
      expect(failed).toMatchObject({
        attributes: { "http.response.status_code": 503, "error.type": "service_unavailable" },
        failed: true,
      });
      expect(read).toMatchObject({ attributes: { "error.type": "service_unavailable" }, failed: true });
      const ofRequest = lines.filter((line) => line.includes(failed?.traceId ?? "none"));
      expect(ofRequest.map((line) => JSON.parse(line).msg)).toEqual([
        "request failed temporarily",
        "request",
      ]);
    });
  });

describe("a request with a traceparent", () => {
  const [driver] = DRIVERS;
  const CALLER = "4bf92f3577b34da6a3ce929d0e0e4736";
  const SPAN = "00f067aa0ba902b7";
  /** The trace ids of requests with these headers; of one that is not traced there is none. */
  const tracesOf = async (headers: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    if (driver === undefined) throw new Error("no driver");
    using receiver = await traced(
      driver,
      async ({ url }) => {
        for (const traceparent of headers) await fetch(`${url}/health`, { headers: { traceparent } });
      },
      { env },
    );
    return receiver.spans.map(({ traceId, parentSpanId }) => [traceId === CALLER, parentSpanId]);
  };
  const sampled = `00-${CALLER}-${SPAN}-01`;
  const notSampled = `00-${CALLER}-${SPAN}-00`;

  test("continues that trace", async () => {
    expect(await tracesOf([sampled, notSampled])).toEqual([
      [true, SPAN],
      [true, SPAN],
    ]);
  });

  test("that is not valid begins one", async () => {
    const invalid = [
      "",
      "00",
      CALLER,
      `00-${CALLER}-${SPAN}`,
      `00-${CALLER}-${SPAN}-01-more`,
      `ff-${CALLER}-${SPAN}-01`,
      `00-${CALLER.toUpperCase()}-${SPAN}-01`,
      `00-${"0".repeat(32)}-${SPAN}-01`,
      `00-${CALLER}-${"0".repeat(16)}-01`,
      `00-${CALLER}-${SPAN}-zz`,
      `${sampled},${sampled}`,
      `${sampled}${"a".repeat(5_000)}`,
    ];
    expect(await tracesOf(invalid)).toEqual(invalid.map(() => [false, null]));
  });

  test("of a client does not decide whether it is traced", async () => {
    const never = { OTEL_TRACES_SAMPLER: "parentbased_always_off" };
    const none = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" };
    const lowest = `00-${"0".repeat(31)}1-${SPAN}-01`; // the id that each ratio samples
    for (const env of [never, none]) expect(await tracesOf([sampled, lowest], env)).toEqual([]);
    const half = { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.5" };
    const many = await tracesOf(Array<string>(200).fill(lowest), half);
    expect(many.length).toBeGreaterThan(40); // by chance once in 10^18
    expect(many.length).toBeLessThan(160);
  });

  test("of a trusted proxy decides where the sampler follows it", async () => {
    const trusted = { TRUST_TRACEPARENT: "true" };
    const following = { ...trusted, OTEL_TRACES_SAMPLER: "parentbased_always_off" };
    expect(await tracesOf([sampled, notSampled, ""], following)).toEqual([[true, SPAN]]);
    expect(await tracesOf([sampled], { ...trusted, OTEL_TRACES_SAMPLER: "always_off" })).toEqual([]);
    expect(await tracesOf([notSampled], { ...trusted, OTEL_TRACES_SAMPLER: "always_on" })).toHaveLength(1);
  });
});
