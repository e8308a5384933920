import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { YAML } from "bun";
import packageJson from "../package.json" with { type: "json" };
import { loadConfig } from "../src/config/config.ts";

interface Service {
  readonly image: string;
  readonly environment?: Record<string, string>;
  readonly build?: { readonly dockerfile_inline: string };
  readonly healthcheck?: object;
}

const file = join(import.meta.dir, "../docker-compose.yml");
const compose = YAML.parse(await Bun.file(file).text()) as { services: Record<string, Service> };

describe("docker-compose.yml", () => {
  test("configures a service that would start", () => {
    const config = loadConfig(compose.services["backup-service"]?.environment ?? {});
    expect(config.storage.driver).toBe("aws");
    expect(compose.services.setup?.environment).toEqual(
      compose.services["backup-service"]?.environment ?? {},
    );
  });

  test("names every image by an exact tag, and the same versions as the tests use", () => {
    const { dynamodb, s3 } = compose.services;
    const dockerfile = compose.services["backup-service"]?.build?.dockerfile_inline ?? "";
    expect(`>=${/^FROM oven\/bun:(\S+)$/m.exec(dockerfile)?.[1]}`).toBe(packageJson.engines.bun);
    // and tells the engine of as much memory as `bun run start` does
    const ram = /^ENV (BUN_JSC_forceRAMSize)=(\d+)$/m.exec(dockerfile);
    expect(packageJson.scripts.start).toStartWith(`${ram?.[1]}=${ram?.[2]} bun `);
    expect(dynamodb?.image).toMatch(/^amazon\/dynamodb-local:\d+\.\d+\.\d+$/);
    expect(s3?.image).toMatch(/^minio\/minio:RELEASE\.[\dTZ-]+$/);
  });

  test("waits for each service's health", () => {
    for (const name of ["backup-service", "dynamodb", "s3"])
      expect(compose.services[name]?.healthcheck).toBeDefined();
  });
});
