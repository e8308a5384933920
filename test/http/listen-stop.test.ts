import { expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { interceptedStores } from "../support/intercepted-stores.ts";
import { startService } from "../support/service.ts";
import { newUser } from "../support/users.ts";

for (const driver of DRIVERS)
  test(`a request that still runs when the grace is over is cut off, and the log says so (${driver.name})`, async () => {
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const { promise: mayRead, resolve: letRead } = Promise.withResolvers<void>();
    await using service = await startService(driver, {
      wrapStores: (stores) =>
        interceptedStores(stores, async (_call, run) => {
          begin();
          await mayRead;
          return run();
        }),
    });
    const answer = service.client
      .backupStatus({ backupId: newUser().account.backupAccountId })
      .catch((error: unknown) => error);
    await begun;
    await service.server.stop(1);
    expect(await answer).toBeInstanceOf(Error);
    const cut = service.logged.filter((line) => line.includes("requests that still run are closed"));
    expect(
      cut.map((line): { requests?: number } => JSON.parse(line)).map(({ requests }) => requests),
    ).toEqual([1]);
    letRead();
  });

for (const driver of DRIVERS)
  test(`background work that hangs does not keep the process, and the log names it (${driver.name})`, async () => {
    const service = await startService(driver);
    void service.services.background.run("hang", () => Promise.withResolvers().promise);
    await service[Symbol.asyncDispose]();
    expect(service.logged.at(-1)).toContain('"task":"hang"');
  });
