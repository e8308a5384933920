/** Several apps in one process, each seen as a service of its own. */
import { afterAll, beforeAll } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoise } from "../../src/runtime/memoise.ts";
import type { ProcessServices } from "../../src/services.ts";
import type { Driver } from "../drivers.ts";
import { documentedClient } from "./documented-client.ts";
import { factorService } from "./factors.ts";
import type { TestService, TestServiceOptions } from "./service.ts";

/** An app in the file, as JSON has it. */
export interface AppInFile {
  readonly name: string;
  readonly hosts?: readonly string[];
  readonly headerValues?: readonly string[];
  readonly settings?: Readonly<Record<string, unknown>>;
}

const folder = memoise(() => {
  const path = mkdtempSync(join(tmpdir(), "backup-service-apps-"));
  process.on("exit", () => rmSync(path, { recursive: true, force: true }));
  return path;
});

/**
 * The variables of a service with these apps, behind one proxy. An app called "first" has the stored form of a service without
 * apps. The file is removed with the test process.
 */
export function appsEnv(apps: readonly AppInFile[], more: object = {}) {
  const path = join(folder(), `${crypto.randomUUID()}.json`);
  const unscoped = apps.some(({ name }) => name === "first") ? "first" : null;
  writeFileSync(path, JSON.stringify({ default: unscoped, ...more, apps }));
  return { APPS_FILE: path, TRUSTED_PROXY_HOPS: "1" };
}

/** One that has the stored form of a service without apps, and one that has not. Each has its name as its host. */
export const TWO_APPS = [
  { name: "first", hosts: ["first.example"] },
  { name: "second", hosts: ["second.example"] },
] as const satisfies readonly AppInFile[];

export type AppName = (typeof TWO_APPS)[number]["name"];

/** What the stores call an id of one of {@link TWO_APPS}: `storedId` takes it. */
export function scopeOf(app: AppName): string | null {
  return app === "first" ? null : app;
}

/** As `factorService`, with the apps of one process, for all tests of a `describe`. */
export function factorApps(driver: Driver, options: TestServiceOptions = {}) {
  const { service, issuer } = factorService(driver, {
    ...options,
    env: { ...appsEnv(TWO_APPS), ...options.env },
  });
  const views = new Map<string, TestService>();
  beforeAll(async () => {
    for (const { name, hosts } of TWO_APPS) views.set(name, await viewOf(service(), name, hosts[0]));
  });
  afterAll(() => views.clear());
  const app = (name: AppName) => {
    const view = views.get(name);
    if (view === undefined) throw new Error("the service has not been started");
    return view;
  };
  return { service, issuer, app };
}

/** A service as one of its apps is: what its client calls, and what tests see of it, is of that app. */
export async function viewOf(service: TestService, name: string, host: string): Promise<TestService> {
  return {
    ...service,
    client: await documentedClient(service.url, { "x-forwarded-host": host }),
    services: servicesOf(service, name),
  };
}

/** The services of an app in place of those of the first one. */
export function servicesOf({ services }: Pick<TestService, "services">, name: string): ProcessServices {
  const own = services.apps.find(({ config }) => config.app?.name === name);
  if (own === undefined) throw new Error(`there is no app ${name}`);
  return { ...services, ...own };
}
