/** The owner of the soak: reports a loss, and takes nothing else for one. */
import { describe, expect, test } from "bun:test";
import { type RecordStore, StorageUnavailable } from "../../src/storage/contract.ts";
import { DRIVERS, type Driver } from "../drivers.ts";
import { type Interceptor, interceptedStores } from "../support/intercepted-stores.ts";
import { startService } from "../support/service.ts";
import { replaced } from "../support/store-wrappers.ts";
import { Owner } from "./owner.ts";

/** By what an owner does: the lowest number that makes it do so, and how many commits that takes. */
const ACTIONS = {
  sync: { chance: 0, commits: 1 },
  check: { chance: 40, commits: 0 },
  "deletion and undelete": { chance: 92, commits: 3 },
  "reset and creation": { chance: 97, commits: 2 },
} as const;
type Action = keyof typeof ACTIONS;
const CHANGING = ["sync", "deletion and undelete", "reset and creation"] as const;

/** When a commit is made that the service has given up before. */
const MOMENTS = ["before the next action", "before the next commit", "after the next action"] as const;

for (const driver of DRIVERS)
  describe(`an owner (${driver.name})`, () => {
    for (const action of CHANGING)
      for (let nth = 1; nth <= ACTIONS[action].commits; nth++)
        for (const moment of MOMENTS)
          for (const next of ["sync", "deletion and undelete"] as const)
            test(`has the backup, though commit ${nth} of a ${action} is made ${moment}, a ${next}`, async () => {
              await using owned = await startOwner(driver);
              await owned.does("deletion and undelete"); // it may repeat that
              const late: (() => Promise<unknown>)[] = [];
              const makeLate = async () => void (await late.pop()?.());
              let commits = 0;
              owned.around(async (call, run) => {
                if (call !== "records.commit") return run();
                if (++commits !== nth) {
                  if (moment === "before the next commit") await makeLate();
                  return run();
                }
                late.push(run);
                throw new StorageUnavailable("the backup could not be changed");
              });
              await expect(owned.does(action)).rejects.toThrow(" 503 ");
              expect(late).toHaveLength(1);
              if (moment === "before the next action") await makeLate();
              const refused = await owned.does(next).then(String, String);
              expect(refused).not.toContain("LOST");
              await makeLate();
              await owned.does("check");
            });

    test("reports a deleted backup that was not kept", async () => {
      await using owned = await startOwner(driver, (records) => ({
        commit: ({ setAside: _, ...change }) => records.commit(change),
      }));
      await expect(owned.does("deletion and undelete")).rejects.toThrow(LOSS_OF_DELETED);
    });

    test("reports an update that was not made", async () => {
      await using owned = await startOwner(driver, (records) => ({
        commit: async (change) => (change.expect === "absent" ? records.commit(change) : "committed"),
      }));
      await owned.does("sync");
      await expect(owned.does("check")).rejects.toThrow(/^LOST: the content is another one/);
    });
  });

/** It shows the responses that the owner had before. */
const LOSS_OF_DELETED =
  /^LOST: the deleted backup, of 10\.1\.0\.1, .*\n(.* 200 \n)*.*\/delete-backup 204 \n(.*\n)+.*backup_does_not_exist/;

/** An owner with a backup at a service of its own. */
async function startOwner(
  driver: Driver,
  planted: (records: RecordStore) => Partial<RecordStore> = () => ({}),
) {
  let interceptor: Interceptor = (_call, run) => run();
  const service = await startService(driver, {
    wrapStores({ records, blobs }) {
      const stores = { records: replaced(records, planted(records)), blobs };
      return interceptedStores(stores, (call, run) => interceptor(call, run));
    },
  });
  let chance = 0;
  const owner = new Owner({ url: service.url, address: "10.1.0.1", bytes: 100, random: () => chance });
  await owner.create();
  return {
    around(next: Interceptor): void {
      interceptor = next;
    },
    does(action: Action): Promise<void> {
      ({ chance } = ACTIONS[action]);
      return owner.act();
    },
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}
