import type { ClientApp } from "../protocol/event.ts";

const MAX_CHARACTERS = 64;
/** Control and format characters, separators of lines, and what is no character. */
const NOT_SHOWN = /[\p{C}\p{Zl}\p{Zp}]+/gu;

/** How the app that sends a request names itself: for the owner to read, and not proven. `null` if it does not. */
export function clientApp(headers: Headers): ClientApp | null {
  const name = shown(headers.get("client-name"));
  const version = shown(headers.get("client-version"));
  return name === "" && version === "" ? null : { name, version };
}

function shown(sent: string | null): string {
  if (sent === null) return "";
  const characters = [...sent.replace(NOT_SHOWN, " ").trim()];
  return characters.slice(0, MAX_CHARACTERS).join("").trimEnd();
}
