import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../src/config/config.ts";
import { problemsOf, production } from "./environments.ts";

const BASE = "OTEL_EXPORTER_OTLP_ENDPOINT";
const ENDPOINT = { [BASE]: "http://collector:4318" };
const tracing = (env: Readonly<Record<string, string>>) => loadConfig({ ...production, ...env }).tracing;
const problems = (env: Readonly<Record<string, string>>) =>
  problemsOf({ ...production, ...ENDPOINT, ...env });

describe("the configuration of traces", () => {
  test("has defaults", () => {
    expect(tracing(ENDPOINT)).toEqual({
      url: "http://collector:4318/v1/traces",
      protocol: "http/protobuf",
      headers: {},
      timeoutMs: 10_000,
      compression: "none",
      resource: { "service.name": "backup-service" },
      sampling: { followsParent: true, ratio: 1 },
      trustsTraceparent: false,
    });
  });

  test("is read", () => {
    expect(
      tracing({
        [BASE]: "https://collector.example/otlp/",
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_EXPORTER_OTLP_HEADERS: "api-key=a%20b%3D, x-tenant = one ",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS: "x-tenant=two",
        OTEL_EXPORTER_OTLP_TIMEOUT: "500",
        OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
        OTEL_RESOURCE_ATTRIBUTES: "service.name=other,deployment.environment.name=eu%2C1",
        OTEL_SERVICE_NAME: "backups",
        OTEL_TRACES_SAMPLER: "traceidratio",
        OTEL_TRACES_SAMPLER_ARG: "0.25",
        TRUST_TRACEPARENT: "true",
      }),
    ).toEqual({
      url: "https://collector.example/otlp/v1/traces",
      protocol: "http/json",
      headers: { "api-key": "a b=", "x-tenant": "two" },
      timeoutMs: 500,
      compression: "gzip",
      resource: { "service.name": "backups", "deployment.environment.name": "eu,1" },
      sampling: { followsParent: false, ratio: 0.25 },
      trustsTraceparent: true,
    });
  });

  test("takes a URL of traces alone as it is, before that of all signals", () => {
    const url = "https://traces.example/";
    expect(tracing({ ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url })?.url).toBe(url);
    expect(tracing({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${url}x?key=1` })?.url).toBe(`${url}x?key=1`);
  });

  test.each([
    ["always_on", { followsParent: false, ratio: 1 }],
    ["always_off", { followsParent: false, ratio: 0 }],
    ["traceidratio", { followsParent: false, ratio: 1 }],
    ["parentbased_always_on", { followsParent: true, ratio: 1 }],
    ["parentbased_always_off", { followsParent: true, ratio: 0 }],
    ["parentbased_traceidratio", { followsParent: true, ratio: 1 }],
  ])("reads the sampler %s", (OTEL_TRACES_SAMPLER, sampling) => {
    expect(tracing({ ...ENDPOINT, OTEL_TRACES_SAMPLER })?.sampling).toEqual(sampling);
  });

  test("is off without an endpoint or where it is disabled, and then ignores what else is set", () => {
    const others = { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc", OTEL_TRACES_SAMPLER: "jaeger_remote" };
    for (const env of [
      others,
      { ...ENDPOINT, ...others, OTEL_SDK_DISABLED: "true" },
      { ...ENDPOINT, ...others, OTEL_TRACES_EXPORTER: "none" },
    ])
      expect(tracing(env)).toBeNull();
  });

  test.each([
    ["OTEL_SDK_DISABLED", "yes"],
    ["OTEL_TRACES_EXPORTER", "zipkin"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"],
    ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"],
    ["OTEL_EXPORTER_OTLP_TIMEOUT", "0"],
    ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "10s"],
    ["OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"],
    ["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "zstd"],
    ["OTEL_RESOURCE_ATTRIBUTES", "a"],
    ["OTEL_RESOURCE_ATTRIBUTES", "a=%zz"],
    ["OTEL_TRACES_SAMPLER", "jaeger_remote"],
    ["TRUST_TRACEPARENT", "1"],
  ])("refuses as %s %s", (name, value) => {
    expect(problems({ [name]: value })).toEqual([expect.stringContaining(name)]);
  });

  test.each(["1.1", "-0.1", "half", "1e-3", "."])("refuses the ratio %s", (OTEL_TRACES_SAMPLER_ARG) => {
    expect(problems({ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG })).toEqual([
      `OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, not "${OTEL_TRACES_SAMPLER_ARG}"`,
    ]);
  });

  test.each([BASE, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])("refuses a wrong %s without showing it", (name) => {
    for (const url of [
      "hidden:4317",
      "grpc://hidden",
      "https://hidden@a.example",
      "https://a.example/#hidden",
    ]) {
      const found = problems({ [name]: url });
      expect(found).toEqual([expect.stringMatching(new RegExp(`^${name} must `))]);
      expect(found[0]).not.toContain("hidden");
    }
  });

  test.each(["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"])(
    "refuses wrong %s without showing them",
    (name) => {
      for (const headers of [
        "hidden",
        "=hidden",
        "a b=hidden",
        "a=hidden%0d%0ab",
        "a=hidden%zz",
        "a=hiddené",
      ]) {
        const found = problems({ [name]: headers });
        expect(found).toEqual([expect.stringMatching(new RegExp(`^${name} must `))]);
        expect(found[0]).not.toContain("hidden");
      }
    },
  );
});
