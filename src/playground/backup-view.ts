/** What the page shows of a backup: factors, versions, the security log. */
import type { Event, Metadata } from "../client/index.ts";
import { button, byId, element, time } from "./dom.ts";

/** What the buttons of the lists do. */
export interface BackupActions {
  removeMain(factorId: string, kind: string): void;
  removeSync(factorId: string): void;
  showVersion(versionId: string): void;
  restore(versionId: string): void;
}

export const KIND_NAMES: Readonly<Record<string, string>> = {
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
  const main = factors.map(({ id, kind, createdAt }) => {
    const name = KIND_NAMES[kind.kind] ?? kind.kind;
    const label = kind.kind === "PASSKEY" && kind.label !== "" ? `${name} “${kind.label}”` : name;
    const remove = () => actions.removeMain(id, kind.kind);
    return item([label, ", added ", time(createdAt)], [button("Remove", remove, `Remove ${label}`)]);
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
      actor === null ? "the account key or the operator" : `${KIND_NAMES[actor.kind]} (${actor.scope})`;
    const app = client === null ? "" : `, ${client.name} ${client.version}`;
    return element("li", {}, element("code", {}, kind), ` by ${by}${app}, `, time(at));
  });
  byId("events", HTMLOListElement).replaceChildren(...items);
}
