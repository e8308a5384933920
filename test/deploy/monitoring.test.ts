/** The dashboard and the alerts: each metric that they name is one of the service, with the labels that they use. */
import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { YAML } from "bun";
import { DRIVERS } from "../drivers.ts";
import { type ApiClient, createApiClient } from "../support/api-client.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { TEST_CHALLENGE_TOKEN_KEYS } from "../support/service.ts";
import { startProcess } from "../support/service-process.ts";
import { TraceReceiver } from "../support/trace-receiver.ts";
import { newUser, randomBytes, recovered, solved, type User, userWithBackup } from "../support/users.ts";
import { startReceiver } from "../webhooks/receivers.ts";

const ROOT = join(import.meta.dir, "../..");
const read = (file: string) => Bun.file(join(ROOT, file)).text();

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly action: string; readonly runbook: string };
}
interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const { groups } = YAML.parse(await read("deploy/prometheus-alerts.yml")) as {
  groups: readonly { readonly rules: readonly Alert[] }[];
};
const alerts = groups.flatMap(({ rules }) => rules);
const dashboard: { readonly panels: readonly Panel[] } = JSON.parse(
  await read("deploy/grafana-dashboard.json"),
);
const panels = dashboard.panels.filter(({ type }) => type !== "row");
const expressions = [
  ...alerts.map(({ alert, expr }) => ({ where: alert, expr })),
  ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: title, expr }))),
];

/** What Prometheus adds by itself. */
const OF_PROMETHEUS = { metrics: ["up"], labels: ["job", "instance"] };

/** The metrics that an expression selects, each with the labels that it needs. Every selector has braces. */
function selected(expr: string): { name: string; labels: string[] }[] {
  const texts = expr.replaceAll(/"[^"]*"/g, '""');
  const grouped = [...texts.matchAll(/by \(([^)]*)\)/g)].flatMap(([, names = ""]) => names.split(/, */));
  return [...texts.matchAll(/([a-z_:]+)\{([^}]*)\}/g)].map(([, name = "", matchers = ""]) => ({
    name,
    labels: [...matchers.matchAll(/(\w+)[!=]/g)].map(([, label = ""]) => label).concat(grouped),
  }));
}

/** The labels of each series of a scrape, by name. */
function exposed(text: string): Map<string, Set<string>> {
  const series = new Map<string, Set<string>>();
  for (const line of text.split("\n")) {
    const [, name, labels = ""] = /^([a-z_]+)(?:\{(.*)\})? /.exec(line) ?? [];
    if (name === undefined) continue;
    const known = series.get(name) ?? new Set();
    for (const [, label = ""] of labels.matchAll(/(\w+)="/g)) known.add(label);
    series.set(name, known);
  }
  return series;
}

const KEPT_WAITING = 8;

/** Has the service do all that is counted. */
async function busyLife(client: ApiClient): Promise<void> {
  const users: User[] = [];
  for (let count = 0; count < KEPT_WAITING; count++)
    users.push(await userWithBackup(client, newUser(randomBytes(300_000))));
  await Promise.all(users.map((user) => recovered(client, user)));
  const [user] = users;
  if (user === undefined) throw new Error("no user");
  (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
  const stranger = await client.verifyFactor(await solved(client, "verify-factor", createFactorKeypair()));
  expect(stranger.code()).toBe("backup_untraceable");
  const asked = { backupId: newUser().account.backupAccountId };
  const statuses = [];
  for (let ask = 0; ask < 3; ask++) statuses.push((await client.backupStatus(asked)).code()); // a minute may begin in between
  expect(statuses).toContain("too_many_requests");
}

for (const driver of DRIVERS)
  describe(`a service after a busy life (${driver.name})`, () => {
    let series = new Map<string, Set<string>>();

    beforeAll(async () => {
      let attempts = 0;
      await using webhook = startReceiver(() => new Response(null, { status: attempts++ === 0 ? 500 : 204 }));
      using traces = new TraceReceiver();
      await using storage = await driver.environment();
      await using service = await startProcess({
        APP_ENV: "development",
        RATE_LIMITS: "true",
        RATE_LIMIT_ADDRESS_STATUS_PER_MINUTE: "1",
        CHALLENGE_TOKEN_KEYS: TEST_CHALLENGE_TOKEN_KEYS,
        WEBHOOK_URL: webhook.url,
        WEBHOOK_SECRETS: `whsec_${Buffer.alloc(32, 1).toString("base64")}`,
        ...traces.env,
        ...storage.env,
      });
      const { metrics = "" }: { metrics?: string } = JSON.parse(
        service.lines.find((line) => line.includes('"metrics"')) ?? "{}",
      );
      await busyLife(createApiClient({ url: service.url }));
      await webhook.arrived(2);
      do series = exposed(await (await fetch(metrics)).text());
      while (!series.has("maintenance_last_success_timestamp_seconds")); // it began with the process
    });

    test.each(expressions.map(({ where, expr }) => [where, expr] as const))(
      "has what %s needs",
      (_, expr) => {
        const unknown = selected(expr)
          .filter(
            ({ name }) => !OF_PROMETHEUS.metrics.includes(name) && !isOfAnotherDriver(driver.name, name),
          )
          .flatMap(({ name, labels }) => {
            const known = series.get(name);
            if (known === undefined) return [name];
            const missing = labels.filter(
              (label) => !OF_PROMETHEUS.labels.includes(label) && !known.has(label),
            );
            return missing.map((label) => `${name}{${label}}`);
          });
        expect(unknown).toEqual([]);
      },
    );
  });

/** What only the embedded driver has: a disk, and a sweep that counts. */
function isOfAnotherDriver(driver: string, name: string): boolean {
  return driver === "aws" && /^(stored_bytes|storage_(free|reserve)_bytes)$/.test(name);
}

describe("the expressions of dashboard and alerts", () => {
  test("are found", () => {
    expect(alerts.length).toBeGreaterThan(15);
    expect(panels.length).toBeGreaterThan(25);
    for (const { expr } of expressions) expect(selected(expr).length).toBeGreaterThan(0);
    expect(selected('sum by (code) (rate(a_total{job="x", code=~"{"}[5m])) / b{job="x"}')).toEqual([
      { name: "a_total", labels: ["job", "code", "code"] },
      { name: "b", labels: ["job", "code"] },
    ]);
  });

  test("select by job, and those of the dashboard by process too", () => {
    for (const { alert, expr } of alerts)
      expect([alert, selected(expr).every(({ labels }) => labels.includes("job"))]).toEqual([alert, true]);
    for (const { title, targets = [] } of panels)
      for (const { expr } of targets)
        expect([title, [...expr.matchAll(/\{/g)].length]).toEqual([
          title,
          [...expr.matchAll(/\{job="\$job", instance=~"\$instance"/g)].length,
        ]);
  });
});

describe("each alert", () => {
  test("has a situation in which it fires, for promtool", async () => {
    const situations = await read("test/deploy/prometheus-alerts.promtool.yml");
    const firing = [...situations.matchAll(/\{alertname="(\w+)"\}/g)].map(([, name]) => name);
    expect(firing).toEqual(alerts.map(({ alert }) => alert));
  });

  test("says what to do, and has its chapter in deploy/alerts.md", async () => {
    const chapters = [...(await read("deploy/alerts.md")).matchAll(/^## (BackupService\w+)$/gm)].map(
      ([, name]) => name,
    );
    expect(chapters).toEqual(alerts.map(({ alert }) => alert));
    for (const { alert, labels, annotations } of alerts) {
      expect(annotations.runbook).toBe(`deploy/alerts.md#${alert.toLowerCase()}`);
      expect(annotations.summary).toBeTruthy();
      expect(annotations.action).toBeTruthy();
      expect(["page", "ticket"]).toContain(labels.severity);
    }
  });
});
