/** What the page shows of a backup: factors, versions, the security log. */
import type { Event, Metadata } from "../client/index.ts";
import { button, byId, element, time } from "./dom.ts";
import { KIND_NAMES, type MainKind, mainKindOf } from "./main-kinds.ts";
import type { KnownBackup } from "./store.ts";

/** What the buttons of the lists do. */
export interface BackupActions {
  removeMain(factorId: string, kind: MainKind): void;
  removeSync(factorId: string): void;
  showVersion(versionId: string): void;
  restore(versionId: string): void;
}

/** So many digits of an id are enough for a person to tell backups apart. */
const SHOWN_DIGITS = 12;

/** Who did something, by the kind of factor in the security log. */
const ACTOR_NAMES: Readonly<Record<string, string>> = {
  PASSKEY: "Passkey",
  EC_KEYPAIR: "Key",
  OIDC_ACCOUNT: "Account",
};

/** @param ownKey the public key of this device. */
export function showMetadata(metadata: Metadata, ownKey: string, actions: BackupActions): void {
  showFactors(metadata, ownKey, actions);
  showVersions(metadata, actions);
}

function showFactors({ factors, syncFactors }: Metadata, ownKey: string, actions: BackupActions): void {
  const main = factors.map((factor) => {
    const kind = mainKindOf(factor);
    const label = `${KIND_NAMES[kind]}${detailOf(factor)}`;
    const remove = () => actions.removeMain(factor.id, kind);
    return item([label, ", added ", time(factor.createdAt)], [button("Remove", remove, `Remove ${label}`)]);
  });
  byId("main-factors", HTMLUListElement).replaceChildren(...main);
  const devices = syncFactors.map(({ id, kind, createdAt }, index) => {
    const isOwn = kind.kind === "EC_KEYPAIR" && kind.publicKey === ownKey;
    const label = isOwn ? "This device" : `Device ${index + 1}`;
    const remove = button("Remove", () => actions.removeSync(id), `Remove ${label}`);
    return item([label, ", added ", time(createdAt)], [remove]);
  });
  byId("sync-factors", HTMLUListElement).replaceChildren(...devices);
}

function detailOf({ kind }: Metadata["factors"][number]): string {
  if (kind.kind === "OIDC_ACCOUNT") return ` ${kind.account.maskedEmail}`;
  return kind.kind === "PASSKEY" && kind.label !== "" ? ` “${kind.label}”` : "";
}

function showVersions({ versions }: Metadata, actions: BackupActions): void {
  const items = versions.map(({ versionId, size, createdAt, replacedAt }) =>
    item(
      [`${size} bytes, of `, time(createdAt), ", replaced ", time(replacedAt)],
      [
        button("Show", () => actions.showVersion(versionId), `Show the version of ${size} bytes`),
        button("Restore", () => actions.restore(versionId), `Restore the version of ${size} bytes`),
      ],
    ),
  );
  byId("versions", HTMLUListElement).replaceChildren(...items);
  byId("no-versions", HTMLElement).hidden = items.length > 0;
}

function item(text: readonly (Node | string)[], buttons: readonly HTMLElement[]): HTMLElement {
  return element("li", {}, element("span", {}, ...text), element("span", { class: "buttons" }, ...buttons));
}

export function showEvents(events: readonly Event[]): void {
  const items = events.map(({ kind, at, actor, client }) => {
    const by =
      actor === null ? "the account key or the operator" : `${ACTOR_NAMES[actor.kind]} (${actor.scope})`;
    const app = client === null ? "" : `, ${client.name} ${client.version}`;
    return element("li", {}, element("code", {}, kind), ` by ${by}${app}, `, time(at));
  });
  byId("events", HTMLOListElement).replaceChildren(...items);
}

export function showKnownBackups(backups: readonly KnownBackup[]): void {
  const items = backups.map(({ backupId, createdAtMs }) =>
    element(
      "li",
      {},
      element("a", { href: `#${backupId}` }, `…${backupId.slice(-SHOWN_DIGITS)}`),
      " of ",
      time(createdAtMs / 1_000),
    ),
  );
  byId("known", HTMLUListElement).replaceChildren(...items);
  byId("known-title", HTMLElement).hidden = items.length === 0;
}
