/** Events on their way to a webhook. The sort key has the time at which one is due, so a claim moves it. */
import type { Outbox, QueuedEvent } from "../../outbox.ts";
import type { Step } from "../changes.ts";
import { number } from "../tables.ts";
import { outboxItem, outboxKey, partitionsOf, queuedEventOf } from "./items.ts";
import { deleteItem, dueItems, type HistoryTable } from "./table.ts";

/** How many events of a shard are counted: a webhook that fails for days must not make each count expensive. */
const COUNTED = 1_000;

const ATTRIBUTES = "SK, EventId, BackupId, AtMs, Body, DueMs, Attempts";

export function createOutbox(table: HistoryTable): Outbox {
  const { name, reads } = table;

  async function countShard(partition: string) {
    let waiting = 0;
    let oldestMs = Number.POSITIVE_INFINITY;
    const pages = reads.query("the events could not be counted", {
      TableName: name,
      KeyConditionExpression: "PK = :partition",
      ExpressionAttributeValues: { ":partition": { S: partition } },
      ProjectionExpression: "AtMs",
      Limit: COUNTED,
      ConsistentRead: false,
    });
    for await (const items of pages) {
      waiting += items.length;
      oldestMs = Math.min(oldestMs, ...items.map((item) => number(item, "AtMs")));
      if (waiting >= COUNTED) break;
    }
    return { waiting, oldestMs };
  }

  return {
    async due(limit) {
      return (await dueItems(table, "outbox", ATTRIBUTES, limit)).map(queuedEventOf);
    },

    async claim(queued, nextAttemptAtMs) {
      const { event, attempts, dueMs } = queued;
      // later in any case: a claim at the same time would have the same key as the one before
      const claimed = { event, attempts: attempts + 1, dueMs: Math.max(nextAttemptAtMs, dueMs + 1) };
      const failed = await table.transact(claimSteps(name, queued, claimed));
      return failed.length === 0 ? claimed : null;
    },

    settle({ event, dueMs }) {
      return deleteItem(table, outboxKey(event.id, dueMs));
    },

    async backlog() {
      const shards = await Promise.all(partitionsOf("outbox").map(countShard));
      const waiting = shards.reduce((sum, shard) => sum + shard.waiting, 0);
      const oldestMs = Math.min(...shards.map((shard) => shard.oldestMs));
      return { waiting, oldestMs: waiting === 0 ? null : oldestMs };
    },
  };
}

function claimSteps(table: string, queued: QueuedEvent, claimed: QueuedEvent): readonly Step[] {
  return [
    {
      write: {
        Delete: {
          TableName: table,
          Key: outboxKey(queued.event.id, queued.dueMs),
          ConditionExpression: "attribute_exists(PK)",
        },
      },
      otherwise: "not-ours",
    },
    { write: { Put: { TableName: table, Item: outboxItem(claimed) } }, otherwise: "not-ours" },
  ];
}
