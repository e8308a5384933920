/** Every member of every described request, replaced by hostile values. */
import { pooled, type Report } from "../crash/report.ts";
import type { Driver } from "../drivers.ts";
import { multipartBody, multipartType, part } from "../support/multipart-body.ts";
import { pseudoRandom } from "../support/pseudo-random.ts";
import { startService, type TestService } from "../support/service.ts";
import {
  type DescribedRoute,
  describedRoutes,
  isObject,
  type Json,
  placesIn,
  textWith,
} from "./described-routes.ts";
import { HOSTILE_VALUES } from "./hostile-values.ts";
import { validRequest } from "./valid-requests.ts";
import { DEADLINE_MS, problemWith, snapshotOf } from "./verdict.ts";

export interface FuzzOptions {
  readonly seed: number;
  /** How many requests to send; all if not given. */
  readonly requests?: number;
}

interface Case {
  readonly route: DescribedRoute;
  /** The request before the replacement: a valid one, or one that matches the description. */
  readonly shape: Json;
  readonly place: readonly string[];
  readonly value: string;
}

const WIDTH = 8;
/** How many requests are sent between two snapshots of the stored state. */
const BATCH = 60;

export async function fuzzFields(driver: Driver, { seed, requests }: FuzzOptions): Promise<Report> {
  await using service = await startService(driver);
  const routes = await describedRoutes(service.url);
  const all = await casesOf(service, routes);
  const chosen = requests === undefined ? all : shuffled(all, pseudoRandom(seed)).slice(0, requests);
  const failures: string[] = [];
  let accepted = 0;
  const rssBefore = process.memoryUsage.rss();

  for (const cases of Map.groupBy(chosen, ({ route }) => route).values())
    for (let start = 0; start < cases.length; start += BATCH) {
      const before = await snapshotOf(service.services);
      const answers = await pooled(cases.slice(start, start + BATCH), WIDTH, (one) => send(service, one));
      const problems = answers.flatMap(({ problem }) => (problem === null ? [] : [problem]));
      const successes = answers.filter(({ success }) => success).length;
      accepted += successes;
      failures.push(...problems);
      // a valid value is accepted and may change the stored state
      if (successes === 0 && (await snapshotOf(service.services)) !== before)
        failures.push(`${cases[0]?.route.path}: requests that were refused have changed what is stored`);
    }
  return {
    cases: chosen.length,
    failures: failures.map((failure) => `seed ${seed}: ${failure}`),
    notes: { routes: routes.length, accepted, "RSS growth": growthSince(rssBefore) },
  };
}

export function growthSince(rssBefore: number): string {
  return `${Math.round((process.memoryUsage.rss() - rssBefore) / 1024 / 1024)} MiB`;
}

async function casesOf({ client }: TestService, routes: readonly DescribedRoute[]): Promise<Case[]> {
  const cases: Case[] = [];
  for (const route of routes) {
    const valid = await validRequest(client, route.path);
    const shapes: Json[] =
      valid === null ? [...route.shapes] : [jsonOf(valid), ...variantsOf(jsonOf(valid), route)];
    for (const shape of shapes)
      for (const place of placesIn(shape))
        for (const value of HOSTILE_VALUES) cases.push({ route, shape, place, value });
  }
  return cases;
}

/** The valid request, once for each variant of each member in the description. */
function variantsOf(valid: Json, { shapes }: DescribedRoute): Json[] {
  const [plain] = shapes;
  if (!isObject(valid) || !isObject(plain)) return [];
  return shapes.flatMap((shape) =>
    Object.entries(isObject(shape) ? shape : {})
      .filter(([name, member]) => member !== plain[name])
      .map(([name, member]) => ({ ...valid, [name]: member })),
  );
}

function jsonOf(value: unknown): Json {
  return JSON.parse(JSON.stringify(value));
}

async function send({ url }: TestService, { route, shape, place, value }: Case) {
  const text = textWith(shape, place, value);
  const { path } = route;
  const where = `${path} with ${value.slice(0, 80)} at /${place.join("/")}`;
  const upload = [part("payload", text), part("backup", "some bytes")];
  try {
    const response = await fetch(url + path, {
      method: "POST",
      headers: { "content-type": route.kind === "json" ? "application/json" : multipartType() },
      body: route.kind === "json" ? text : multipartBody(upload),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    const problem = problemWith(response.status, response.headers.get("content-type"), await response.text());
    return { success: response.ok, problem: problem === null ? null : `${where}: ${problem}` };
  } catch (error) {
    return { success: false, problem: `${where}: ${error}` };
  }
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, rank: random() }))
    .sort((one, other) => one.rank - other.rank)
    .map(({ item }) => item);
}
