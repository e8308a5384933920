/** Where spans are sent, and of which requests: the environment variables of OpenTelemetry. */
import type { EnvironmentReader } from "./environment.ts";

export interface TracingConfig {
  /** The OTLP receiver's URL for traces. */
  readonly url: string;
  readonly protocol: "http/protobuf" | "http/json";
  /** Sent with each export. They may be secrets. */
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly compression: "none" | "gzip";
  /** What the spans say of the service. */
  readonly resource: Readonly<Record<string, string>>;
  readonly sampling: SamplingConfig;
  /** Whether `traceparent` is set by the operator's proxy, and not by clients. */
  readonly trustsTraceparent: boolean;
}

export interface SamplingConfig {
  /** Whether the caller's decision is taken, where `traceparent` is trusted and sent. */
  readonly followsParent: boolean;
  /** The part of all other requests that is traced, from 0 to 1. */
  readonly ratio: number;
}

const PROTOCOLS = ["http/protobuf", "http/json"] as const;
const SAMPLERS = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;

/** `null` if nothing is traced. Then the other variables are not read: others on the machine may use them. */
export function tracingConfig(read: EnvironmentReader): TracingConfig | null {
  const isDisabled = read.boolean("OTEL_SDK_DISABLED", false);
  const url = tracesUrl(read);
  if (isDisabled || url === null) return null;
  if (read.oneOf("OTEL_TRACES_EXPORTER", ["otlp", "none"], "otlp") === "none") return null;
  const protocol = read.oneOf("OTEL_EXPORTER_OTLP_PROTOCOL", PROTOCOLS, "http/protobuf");
  const timeoutMs = read.integer("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000, 1, 60_000);
  const compression = read.oneOf("OTEL_EXPORTER_OTLP_COMPRESSION", ["none", "gzip"], "none");
  return {
    url,
    protocol: read.oneOf("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", PROTOCOLS, protocol),
    headers: {
      ...headersOf(read, "OTEL_EXPORTER_OTLP_HEADERS", read.secret("OTEL_EXPORTER_OTLP_HEADERS")),
      ...headersOf(
        read,
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        read.secret("OTEL_EXPORTER_OTLP_TRACES_HEADERS"),
      ),
    },
    timeoutMs: read.integer("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", timeoutMs, 1, 60_000),
    compression: read.oneOf("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", ["none", "gzip"], compression),
    resource: resourceOf(read),
    sampling: samplingOf(read),
    trustsTraceparent: read.boolean("TRUST_TRACEPARENT", false),
  };
}

/** The URL for traces as it is, or that of all signals with `/v1/traces` after it (OTLP exporter, "Endpoint URLs"). */
function tracesUrl(read: EnvironmentReader): string | null {
  const own = receiverUrl(read, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
  const base = receiverUrl(read, "OTEL_EXPORTER_OTLP_ENDPOINT");
  if (own !== null) return own.href;
  if (base === null) return null;
  base.pathname = `${base.pathname.replace(/\/$/, "")}/v1/traces`;
  return base.href;
}

/** The reported problems quote no URL: its path or query may be a secret. */
function receiverUrl(read: EnvironmentReader, name: string): URL | null {
  const value = read.optional(name);
  if (value === null) return null;
  const url = URL.parse(value);
  if (url === null || !["https:", "http:"].includes(url.protocol))
    read.problem(`${name} must be an http or https URL`);
  else if (url.username !== "" || url.password !== "" || url.hash !== "")
    read.problem(`${name} must have neither a user name, nor a password, nor a fragment`);
  else return url;
  return null;
}

/** The reported problems quote no header: it may be a secret. */
function headersOf(read: EnvironmentReader, name: string, value: string | null): Record<string, string> {
  const headers = pairsOf(value ?? "");
  const isValid = headers?.every(
    ([header, text]) => /^[\w!#$%&'*+.^`|~-]+$/.test(header) && /^[\x20-\x7e]*$/.test(text),
  );
  if (headers !== null && isValid) return Object.fromEntries(headers);
  read.problem(`${name} must be name=value, comma-separated, with values of ASCII that are percent-encoded`);
  return {};
}

function resourceOf(read: EnvironmentReader): Record<string, string> {
  const attributes = pairsOf(read.text("OTEL_RESOURCE_ATTRIBUTES", ""));
  if (attributes === null)
    read.problem("OTEL_RESOURCE_ATTRIBUTES must be key=value, comma-separated, with percent-encoded values");
  const given = Object.fromEntries(attributes ?? []);
  const name = read.optional("OTEL_SERVICE_NAME");
  return { "service.name": "backup-service", ...given, ...(name === null ? {} : { "service.name": name }) };
}

/** Parses `key=value,key=value`, whose values are percent-encoded; `null` if that fails. */
function pairsOf(text: string): [string, string][] | null {
  const pairs: [string, string][] = [];
  for (const entry of text.split(",")) {
    if (entry.trim() === "") continue;
    const [, key, value] = /^\s*([^=]*?)\s*=\s*(.*?)\s*$/s.exec(entry) ?? [];
    if (key === undefined || key === "" || value === undefined) return null;
    try {
      pairs.push([key, decodeURIComponent(value)]);
    } catch {
      return null; // a percent sign that encodes nothing
    }
  }
  return pairs;
}

function samplingOf(read: EnvironmentReader): SamplingConfig {
  const sampler = read.oneOf("OTEL_TRACES_SAMPLER", SAMPLERS, "parentbased_always_on");
  const argument = read.text("OTEL_TRACES_SAMPLER_ARG", "1");
  const followsParent = sampler.startsWith("parentbased_");
  if (sampler.endsWith("always_on")) return { followsParent, ratio: 1 };
  if (sampler.endsWith("always_off")) return { followsParent, ratio: 0 };
  const ratio = /^\d*\.?\d+$/.test(argument) ? Number(argument) : Number.NaN;
  if (ratio >= 0 && ratio <= 1) return { followsParent, ratio };
  read.problem(`OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, not "${argument}"`);
  return { followsParent, ratio: 0 };
}
