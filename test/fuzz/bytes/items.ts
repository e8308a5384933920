/** Items of DynamoDB, whatever became of them: the readers return a value that is stored as it was read, or refuse. */
import {
  deletedBackupOf,
  deletionItem,
  dueLeftoversItem,
  dueOf,
  leftoversOf,
  loggedEventOf,
  logItem,
  outboxItem,
  queuedEventOf,
} from "../../../src/storage/aws/history/items.ts";
import {
  backupIdOf,
  type Item,
  isLive,
  recordItem,
  recordOf,
  tokenOf,
} from "../../../src/storage/aws/tables.ts";
import { StorageUnavailable } from "../../../src/storage/contract.ts";
import { randomJson } from "./json-grammar.ts";
import { BACKUP, DYNAMODB_PIECES, ITEMS, UUID } from "./stores.ts";
import { ACCEPTED, bytesOf, type Dice, kindOf, requireThat, type Target, textOf } from "./target.ts";

interface Reader {
  readonly name: string;
  readonly read: (item: Item) => unknown;
  /** The item of what was read. */
  readonly again?: (item: Item) => Item;
}

function readersOf(readRecord: typeof recordOf): readonly [Reader, ...Reader[]] {
  return [
    {
      name: "a record",
      read: readRecord,
      again: (item) => recordItem(idOf(item), readRecord(item), readRecord(item).revision, 0),
    },
    {
      name: "a deleted state",
      read: deletedBackupOf,
      again: (item) => deletionItem(idOf(item), deletedBackupOf(item)),
    },
    {
      name: "an event",
      read: loggedEventOf,
      again: (item) =>
        logItem(UUID, { ...loggedEventOf(item), logId: UUID, expiresAtMs: 0, deliverFromMs: null }),
    },
    { name: "an event to deliver", read: queuedEventOf, again: (item) => outboxItem(queuedEventOf(item)) },
    {
      name: "what is to be collected",
      read: (item) => [dueOf(item), leftoversOf(item)],
      again: (item) =>
        dueLeftoversItem(dueOf(item), dueOf(item).backupId, leftoversOf(item) ?? { blobs: [], logIds: [] }),
    },
    { name: "a token", read: (item) => [tokenOf(item), isLive(item, 0)] },
  ];
}

/** The versions of a record are packed with the id. */
function idOf(item: Item): string {
  return item.BackupId === undefined ? BACKUP : backupIdOf(item);
}

export function itemsTarget(readRecord = recordOf): Target {
  const readers = readersOf(readRecord);
  return {
    name: "items of DynamoDB",
    corpus: bytesOf(...ITEMS.map((item) => JSON.stringify(item))),
    dictionary: DYNAMODB_PIECES,
    generate: randomItem,
    run(input, dice) {
      const item = itemIn(input);
      if (item === null) return "no item";
      const { name, read, again } = dice.of(readers);
      try {
        const found = read(item);
        if (again === undefined || (name === "what is to be collected" && item.Blobs === undefined))
          return name;
        const kept = read(again(item));
        requireThat(
          JSON.stringify(kept) === JSON.stringify(found),
          `${name} is another one when it is stored`,
        );
        return ACCEPTED;
      } catch (error) {
        if (!(error instanceof StorageUnavailable)) throw error;
        return `${name}: ${error.cause instanceof Error ? kindOf(error.cause.message) : ""}`;
      }
    },
  };
}

/** An item with an attribute of any form, or without it. */
function randomItem(dice: Dice): Uint8Array {
  const item = ITEMS[dice.below(ITEMS.length)] ?? {};
  const names = Object.keys(item);
  const changed = names[dice.below(names.length)];
  const members = Object.entries(item).flatMap(([name, value]) => {
    if (name !== changed) return `${JSON.stringify(name)}:${JSON.stringify(value)}`;
    if (dice.oneIn(4)) return [];
    const text = randomJson(dice, ["key", "size", "sha256", "S", "N"]);
    const attribute = dice.of([
      text,
      `{"S":${JSON.stringify(text)}}`,
      `{"N":${JSON.stringify(text.trim())}}`,
    ]);
    return `${JSON.stringify(name)}:${attribute}`;
  });
  return Buffer.from(`{${members.join(",")}}`);
}

/** `null` for what the protocol refuses before an item is read. */
function itemIn(input: Uint8Array): Item | null {
  try {
    const item: unknown = JSON.parse(textOf(input));
    return isItem(item) ? item : null;
  } catch {
    return null;
  }
}

/** As far as the protocol checks it. */
function isItem(value: unknown): value is Item {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
