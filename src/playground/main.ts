/** The page: one backup at a time, whose id is in the hash of the URL, so that another tab can go on with it. */

import { BackupNotFoundError, keypair, UnknownFactorError } from "../client/index.ts";
import { BACKUP_ACCOUNT_ID_PREFIX } from "../protocol/account-id.ts";
import { createActions, reportFailure } from "./actions.ts";
import { type BackupActions, showEvents, showKnownBackups, showMetadata } from "./backup-view.ts";
import { byId, element } from "./dom.ts";
import { failureOf, PlaygroundError } from "./failure.ts";
import { isAccount, KIND_NAMES, MAIN_KINDS, type MainKind, mainKindOf, storedKey } from "./main-kinds.ts";
import { requestLog } from "./request-log.ts";
import { Session } from "./session.ts";
import { type Device, openStore } from "./store.ts";

// before anything else: passkeys and encryption need a secure origin with a name
if (/^(127\.|\[::1\])/.test(location.hostname))
  location.replace(`http://localhost:${location.port}${location.pathname}${location.hash}`);
byId("wrong-host", HTMLElement).hidden = isSecureContext;

const log = requestLog();
const store = await openStore().catch((error: unknown) => {
  reportFailure(error);
  throw error;
});
const session = new Session(store, log.add);

const mainSelect = byId("main", HTMLSelectElement);
const syncText = byId("sync-text", HTMLTextAreaElement);

/** So much of a version is shown. */
const SHOWN_CHARACTERS = 300;

/** What the page shows: of no backup at first. */
let shownId: string | null = null;
let shownDevice: Device | null = null;

/** The id of the backup that the page is about. */
function backupId(): string | null {
  const id = location.hash.slice(1);
  return id.startsWith(BACKUP_ACCOUNT_ID_PREFIX) ? id : null;
}

function currentId(): string {
  const id = backupId();
  if (id === null) throw new PlaygroundError("there is no backup yet");
  return id;
}

/** The main factor that the user has chosen to use. */
function mainKind(): MainKind {
  const chosen = MAIN_KINDS.find((kind) => kind === mainSelect.value);
  if (chosen === undefined) throw new PlaygroundError("this browser has no main key of this backup");
  return chosen;
}

/** A device that is not on the backup any more is shown how it joins again. */
const { run, runNext } = createActions(log.startAction, async (error) => {
  if (error instanceof UnknownFactorError || error instanceof BackupNotFoundError) await show();
  else if (shownId !== backupId()) showOnly("failed"); // nothing that is shown may act on another backup
});

/** As {@link run}, and shows afterwards what became of the backup. */
function runAndShow(name: string, action: () => Promise<string>): void {
  run(name, async () => {
    const message = await action();
    await show().catch((cause: unknown) => {
      throw new PlaygroundError(`${message} It cannot be shown: ${failureOf(cause).text}`, { cause });
    });
    return message;
  });
}

function showOnly(...shown: readonly string[]): void {
  for (const section of document.querySelectorAll<HTMLElement>("main > section"))
    section.hidden = !shown.includes(section.id);
}

/** Shows the backup of the URL as this tab has it. */
async function show(): Promise<void> {
  const id = backupId();
  if (id === null) {
    showKnownBackups(await store.backups());
    shownId = null;
    return showOnly("start");
  }
  const [device, keys] = await Promise.all([store.device(id), store.userKeys(id)]);
  const metadata = device === null ? null : await unlessMissing(() => session.metadata(id));
  const isDevice = device !== null && metadata !== null;
  const kinds = isDevice
    ? metadata.factors.map(mainKindOf)
    : await unlessMissing(() => session.mainKinds(id));
  byId("backup-id", HTMLElement).textContent = id;
  byId("other-tab", HTMLAnchorElement).href = `#${id}`;
  byId("no-account-key", HTMLElement).hidden = keys?.accountSecret != null;
  byId("reset", HTMLFormElement).hidden = keys?.accountSecret == null;
  const ownKinds: readonly MainKind[] = ["PASSKEY", ...(keys?.kinds ?? [])];
  offerMainFactors((kinds ?? MAIN_KINDS).filter((kind) => ownKinds.includes(kind)));
  shownId = id;
  if (!isDevice) {
    shownDevice = null;
    return showOnly("about", kinds === null ? "deleted" : "join", "reset-section");
  }
  if (device.text !== shownDevice?.text) syncText.value = device.text; // else what the user types stays
  shownDevice = device;
  byId("stale", HTMLElement).hidden = metadata.manifestHash === device.manifestHash;
  showMetadata(metadata, (await keypair(device.syncKeys)).publicKey, backupActions);
  const isKeyElsewhere = storedKey(metadata, "GOOGLE") !== undefined && !keys?.kinds.some(isAccount);
  for (const kind of MAIN_KINDS)
    byId(`add-${kind}`, HTMLButtonElement).hidden =
      kinds?.includes(kind) === true || (isAccount(kind) && isKeyElsewhere);
  showOnly(
    "about",
    "text",
    "factors",
    "versions-section",
    "events-section",
    "delete-section",
    "reset-section",
  );
}

/** `null` where there is no such backup, or this device is not on it. */
async function unlessMissing<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof BackupNotFoundError || error instanceof UnknownFactorError) return null;
    throw error;
  }
}

function offerMainFactors(kinds: readonly MainKind[]): void {
  const chosen = mainSelect.value;
  const offered = [...new Set(kinds)];
  mainSelect.replaceChildren(...offered.map((kind) => element("option", { value: kind }, KIND_NAMES[kind])));
  if (offered.some((kind) => kind === chosen)) mainSelect.value = chosen;
  byId("no-main", HTMLElement).hidden = offered.length > 0;
}

const backupActions: BackupActions = {
  removeMain(factorId, kind) {
    runAndShow("Remove a main factor", async () =>
      (await session.removeMain(currentId(), factorId, kind))
        ? "Removed. It was the last main factor, so the backup is deleted."
        : "Removed.",
    );
  },
  removeSync(factorId) {
    runAndShow("Remove a device", async () => {
      await session.removeSync(currentId(), factorId);
      return "Removed.";
    });
  },
  showVersion(versionId) {
    run("Show a version", async () => {
      const text = await session.versionText(mainKind(), currentId(), versionId);
      const start = text.slice(0, SHOWN_CHARACTERS);
      return `The text of the version: “${start}${start === text ? "" : "…"}”`;
    });
  },
  restore(versionId) {
    runAndShow("Restore a version", async () => {
      await session.restore(mainKind(), currentId(), versionId);
      return "Restored.";
    });
  },
};

function onClick(id: string, name: string, action: () => Promise<string>): void {
  byId(id, HTMLButtonElement).addEventListener("click", () => runAndShow(name, action));
}

function onSubmit(id: string, name: string, action: () => Promise<string>): void {
  byId(id, HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    runAndShow(name, action);
  });
}

/** Goes to a backup, or to none, without showing it: the action that runs does that at its end. */
function goTo(id: string | null): void {
  history.pushState(null, "", id === null ? location.pathname : `#${id}`);
}

onSubmit("create", "Create a backup", async () => {
  const kind = MAIN_KINDS.find((one) => byId(`create-${one}`, HTMLInputElement).checked) ?? "PASSKEY";
  const name = byId("name", HTMLInputElement).value.trim() || "Playground";
  goTo(await session.create(kind, name, byId("create-text", HTMLTextAreaElement).value));
  return "Created. To recover it: “Open as a new device”.";
});
onClick("find", "Recover with a passkey", async () => {
  goTo(await session.recover("PASSKEY", null));
  return "Recovered. This tab is a device of the backup now.";
});
onClick("recover", "Recover", async () => {
  await session.recover(mainKind(), currentId());
  return "Recovered. This tab is a device of the backup now.";
});
onSubmit("sync", "Sync", async () => {
  await session.sync(currentId(), syncText.value, shownDevice?.manifestHash ?? "");
  return "Synced.";
});
onClick("fetch", "Fetch the text", async () => {
  await session.fetch(mainKind(), currentId());
  return "Fetched.";
});
onClick("refresh", "Read the metadata", async () => "Read.");
for (const kind of MAIN_KINDS)
  onClick(`add-${kind}`, "Add a main factor", async () => {
    await session.addFactor(mainKind(), kind, currentId());
    return "Added. It recovers the backup too.";
  });
onClick("delete", "Delete the backup", async () => {
  await session.deleteBackup(currentId());
  return "Deleted. A main factor can bring it back.";
});
onClick("undelete", "Undelete the backup", async () => {
  await session.undelete(mainKind(), currentId());
  return "The backup is back, without the device that deleted it: that one recovers, as a new device does.";
});
onSubmit("reset", "Reset the backup", async () => {
  await session.reset(currentId());
  byId("reset", HTMLFormElement).reset();
  goTo(null);
  return "Reset. The service has nothing of the backup any more.";
});
byId("read-events", HTMLButtonElement).addEventListener("click", () => {
  run("Read the security log", async () => {
    showEvents(await session.events(currentId()));
    return "Read.";
  });
});

function open(): void {
  runNext("Open the page", async () => {
    await show();
    return "Ready.";
  });
}
byId("again", HTMLButtonElement).addEventListener("click", open);
window.addEventListener("hashchange", open); // also for the buttons back and forward
byId("skip", HTMLAnchorElement).addEventListener("click", (event) => {
  event.preventDefault(); // the hash has the id of the backup
  byId("status", HTMLElement).focus();
});
open();
