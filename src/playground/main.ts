/** The page: one backup at a time, whose id is in the hash of the URL, so that another tab can go on with it. */

import { BackupNotFoundError, keypair, UnknownFactorError } from "../client/index.ts";
import { BACKUP_ACCOUNT_ID_PREFIX } from "../protocol/account-id.ts";
import { type BackupActions, KIND_NAMES, showEvents, showMetadata } from "./backup-view.ts";
import { byId, element } from "./dom.ts";
import { failureOf } from "./failure.ts";
import { requestLog } from "./request-log.ts";
import { type MainKind, PlaygroundError, Session } from "./session.ts";
import { openStore } from "./store.ts";

// before anything else, which would fail where the origin is not secure
byId("wrong-host", HTMLElement).hidden = isSecureContext && location.hostname !== "127.0.0.1";
byId("right-host", HTMLAnchorElement).href = `http://localhost:${location.port}${location.pathname}`;

const log = requestLog();
const store = await openStore();
const session = new Session(store, log.add);

const mainSelect = byId("main", HTMLSelectElement);
const syncText = byId("sync-text", HTMLTextAreaElement);

/** So much of a version is shown. */
const SHOWN_CHARACTERS = 300;

/** The text of the device that was shown last. */
let shownText: string | null = null;

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

const mainKind = (): MainKind => (mainSelect.value === "PASSKEY" ? "PASSKEY" : "EC_KEYPAIR");

/** Runs an action: its requests are a group of the log, its end or its failure is reported. One runs at a time. */
async function run(name: string, action: () => Promise<string>): Promise<void> {
  document.body.toggleAttribute("data-busy", true);
  const focused = document.activeElement;
  const buttons = [...document.querySelectorAll<HTMLButtonElement>("main button:not(:disabled)")];
  for (const one of buttons) one.disabled = true;
  report("busy", `${name}…`);
  log.startAction(name);
  try {
    report("good", await action());
  } catch (error) {
    const { code, text } = failureOf(error);
    report("bad", ...(code === null ? [] : [element("code", {}, code), " "]), text);
    if (error instanceof UnknownFactorError) await showRemoved();
  } finally {
    for (const one of buttons) one.disabled = false;
    keepFocus(focused);
    document.body.removeAttribute("data-busy");
  }
}

/** This device is not on the backup any more: shows how it joins again. The report stays that of the action. */
async function showRemoved(): Promise<void> {
  await show().catch((error: unknown) => report("bad", failureOf(error).text));
}

/** Disabled and hidden elements lose the focus: without one, the keyboard goes on from the report. */
function keepFocus(focused: Element | null): void {
  if (!(focused instanceof HTMLElement) || focused === document.body) return;
  if (focused.checkVisibility()) focused.focus();
  else byId("status", HTMLElement).focus();
}

function report(state: "busy" | "good" | "bad", ...text: readonly (Node | string)[]): void {
  const status = byId("status", HTMLElement);
  status.dataset.state = state;
  status.replaceChildren(...text);
}

/** As {@link run}, and shows afterwards what became of the backup. */
function runAndShow(name: string, action: () => Promise<string>): void {
  void run(name, async () => {
    const message = await action();
    await show();
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
  if (id === null) return showOnly("start");
  byId("backup-id", HTMLElement).textContent = id;
  byId("other-tab", HTMLAnchorElement).href = location.href;
  const device = await store.device(id);
  const metadata = device === null ? null : await unlessMissing(() => session.metadata(id));
  if (device === null || metadata === null) {
    const kinds = await unlessMissing(() => session.mainKinds(id));
    await offerMainFactors(id, kinds);
    return showOnly("about", kinds === null ? "deleted" : "join");
  }
  await offerMainFactors(
    id,
    metadata.factors.map(({ kind }) => kind.kind),
  );
  if (device.text !== shownText) {
    shownText = device.text; // else what the user types stays
    syncText.value = shownText;
  }
  byId("stale", HTMLElement).hidden = metadata.manifestHash === device.manifestHash;
  showMetadata(metadata, (await keypair(device.syncKeys)).publicKey, actions);
  for (const kind of ["PASSKEY", "EC_KEYPAIR"] as const)
    byId(`add-${kind}`, HTMLButtonElement).hidden = metadata.factors.some((one) => one.kind.kind === kind);
  showOnly("about", "text", "factors", "versions-section", "events-section", "delete-section");
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

/** @param kinds those of the backup; `null` where it is not known. */
async function offerMainFactors(id: string, kinds: readonly string[] | null): Promise<void> {
  const hasKey = (await store.mainKey(id)) !== null;
  const offered = (["PASSKEY", "EC_KEYPAIR"] as const).filter(
    (kind) => (kinds === null || kinds.includes(kind)) && (kind === "PASSKEY" || hasKey),
  );
  const chosen = mainSelect.value;
  mainSelect.replaceChildren(
    ...offered.map((kind) => element("option", { value: kind }, KIND_NAMES[kind] ?? kind)),
  );
  if (offered.some((kind) => kind === chosen)) mainSelect.value = chosen;
  byId("no-main", HTMLElement).hidden = offered.length > 0;
}

const actions: BackupActions = {
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
    void run("Show a version", async () => {
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

/** Goes to a backup without showing it: the action that runs does that at its end. */
function goTo(id: string): void {
  history.pushState(null, "", `#${id}`);
}

onSubmit("create", "Create a backup", async () => {
  const kind = byId("create-passkey", HTMLInputElement).checked ? "PASSKEY" : "EC_KEYPAIR";
  const name = byId("name", HTMLInputElement).value.trim() || "Playground";
  goTo(await session.create(kind, name, byId("create-text", HTMLTextAreaElement).value));
  return "Created. Open this page in another tab to recover it there, as a new device does.";
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
  await session.sync(currentId(), syncText.value);
  return "Synced.";
});
onClick("fetch", "Fetch the text", async () => {
  await session.fetch(mainKind(), currentId());
  return "Fetched.";
});
onClick("refresh", "Read the metadata", async () => "Read.");
for (const kind of ["PASSKEY", "EC_KEYPAIR"] as const)
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
byId("read-events", HTMLButtonElement).addEventListener("click", () => {
  void run("Read the security log", async () => {
    showEvents(await session.events(currentId()));
    return "Read.";
  });
});

const open = () => runAndShow("Open the page", async () => "Ready.");
window.addEventListener("hashchange", open); // also for the buttons back and forward
byId("skip", HTMLAnchorElement).addEventListener("click", (event) => {
  event.preventDefault(); // the hash has the id of the backup
  byId("status", HTMLElement).focus();
});
open();
