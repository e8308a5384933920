import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { type AdoptionWorld, adoptionWorld } from "../support/adopting-service.ts";
import { brokenInvariantsOfAll } from "../support/invariants.ts";
import { type LegacyUser, usersOfEveryForm } from "../support/legacy-users.ts";
import { everyMainFactorRecovers, everySyncFactorManages } from "../support/moved-in-users.ts";
import type { TestService } from "../support/service.ts";

for (const driver of DRIVERS)
  describe(`users of the other service, where nothing was imported, on ${driver.name}`, () => {
    let world: AdoptionWorld;
    let service: TestService;
    let users: readonly LegacyUser[] = [];
    let before: ReadonlyMap<string, string>;

    beforeAll(async () => {
      world = await adoptionWorld(driver);
      service = await world.start();
      users = usersOfEveryForm(world.issuer);
      await world.legacy.add(...users);
      before = await world.legacy.contents();
    });
    afterAll(() => world[Symbol.asyncDispose]());

    test("every main factor verifies itself and recovers, and puts a device on the backup", async () => {
      for (const user of users) await everyMainFactorRecovers(service.client, user);
      expect(await brokenInvariantsOfAll(service.services.stores)).toEqual([]);
      expect(await Array.fromAsync(service.services.stores.records.list())).toHaveLength(users.length);
      expect(await Array.fromAsync(service.services.stores.blobs.list())).toHaveLength(users.length);
    });

    test("every sync factor reads metadata, syncs and manages", async () => {
      for (const user of users) await everySyncFactorManages(service.client, user);
      expect(await Array.fromAsync(service.services.stores.records.list())).toEqual([]);
      expect(await Array.fromAsync(service.services.stores.records.listFactors())).toEqual([]);
    });

    test("no whole e-mail address is logged, and the log and the metrics say how many were moved in", async () => {
      const text = service.logged.join("");
      expect(text.match(/"a backup was moved in"/g)).toHaveLength(users.length);
      for (const { id } of users) expect(text).not.toContain(id);
      expect(text).not.toMatch(/@|U0VDUkVU/);
      const metrics = await service.services.metrics.text();
      expect(metrics).toContain(`adoptions_total{outcome="adopted"} ${users.length}\n`);
      expect(metrics).toContain('store="other service",call="rows"');
    });

    test("the other service's stores are as they were", async () => {
      expect(await world.legacy.contents()).toEqual(before);
    });
  });
