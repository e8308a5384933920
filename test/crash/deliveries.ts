/** The delivery of an event, with every fault at every call to outbox and receiver; then another process goes on. */
import { systemRandom } from "../../src/runtime/clock.ts";
import { pause } from "../../src/runtime/pause.ts";
import type { Outbox } from "../../src/storage/outbox.ts";
import { createDeliveries } from "../../src/webhooks/delivery.ts";
import type { Outcome } from "../../src/webhooks/post.ts";
import type { Driver, Stores } from "../drivers.ts";
import type { Interceptor } from "../support/intercepted-stores.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { eventAt } from "../webhooks/memory-outbox.ts";
import { FAULTS, Fault } from "./faults.ts";
import type { Report } from "./report.ts";

/** What becomes of the first attempt. The receiver has got the event, whatever it responds. */
const OUTCOMES: readonly Outcome[] = ["delivered", "http_5xx", "timeout", "connection", "ended"];
/** After a crash, or a failed attempt, another process may deliver the event after so long. */
const SOON_MS = 10_000;

const healthy: Interceptor = (_call, run) => run();
const running = new AbortController().signal;

export async function runDeliveries(driver: Driver): Promise<Report> {
  const clock = new SettableClock();
  await using stores = await driver.openStores({ clock, random: systemRandom });
  const failures: string[] = [];
  let cases = 0;
  for (const outcome of OUTCOMES)
    for (const kind of FAULTS)
      for (let at = 1; ; at++) {
        const fault = new Fault(kind, at);
        const problem = await runOnce(stores, clock, fault, outcome);
        const where = `${outcome}, ${kind} call ${at} (${fault.hit ?? "none"})`;
        if (problem !== null) failures.push(`${where}: ${problem}`);
        if (fault.hit === null) break;
        cases += 1;
      }
  return { cases, failures };
}

async function runOnce(
  { records }: Stores,
  clock: SettableClock,
  fault: Fault,
  outcome: Outcome,
): Promise<string | null> {
  clock.advance(1_000);
  const event = eventAt(clock.nowMs());
  await records.consume([], undefined, [event]);
  const posted: string[] = [];
  const attempt = (around: Interceptor, response: Outcome) =>
    deliverDue(records.outbox, clock, around, async (id) => {
      posted.push(id);
      return response;
    });
  await attempt(fault.around, outcome);
  const isDone = fault.hit === null && outcome === "delivered";
  const { waiting } = await records.outbox.backlog();
  if (isDone && waiting > 0) return "the event is queued although it was delivered";
  if (!isDone && waiting === 0 && !posted.includes(event.id)) return "the event is lost";

  clock.advance(SOON_MS);
  await attempt(healthy, "delivered");
  if (!posted.includes(event.id)) return "the receiver has not got the event";
  if ((await records.outbox.backlog()).waiting > 0) return "the event is still queued";
  if (posted.length > 2 || posted.some((id) => id !== event.id))
    return `the receiver got ${posted.join(" ")}`;
  return isDone && posted.length > 1 ? "the event was delivered twice" : null;
}

/** What a process does with the events that are due. Each fault stays in it: a process reports, and goes on. */
async function deliverDue(
  outbox: Outbox,
  clock: SettableClock,
  around: Interceptor,
  receive: (id: string) => Promise<Outcome>,
): Promise<void> {
  const { claim, deliver } = createDeliveries({
    outbox: {
      due: (limit) => outbox.due(limit),
      claim: (queued, atMs) => around("outbox.claim", () => outbox.claim(queued, atMs)),
      settle: (claimed) => around("outbox.settle", () => outbox.settle(claimed)),
      backlog: () => outbox.backlog(),
    },
    post: ({ id }) => around("post", () => receive(id)),
    reports: { delivered() {}, failed() {}, dropped() {}, postponed() {} },
    clock,
    random: systemRandom,
    pause,
  });
  for (const queued of await outbox.due(10)) {
    const claimed = await claim(queued);
    if (claimed !== null) await deliver(claimed, running);
  }
}
