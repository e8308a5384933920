import { styleText } from "node:util";
import type { Exchange } from "../client/exchange.ts";

const MAX_SHOWN_CHARACTERS = 64;

export function heading(step: string): string {
  return `\n${styleText("bold", `== ${step}`)}`;
}

/** An exchange for a person to read: long values are cut, nothing is left out. */
export function exchangeAsText({ method, path, request, status, response }: Exchange): string {
  const good = status < 400;
  return [
    `${styleText("cyan", `${method} ${path}`)}`,
    ...(request === undefined ? [] : [indented(request)]),
    styleText(good ? "green" : "yellow", `  -> ${status}`),
    ...(response === null ? [] : [indented(response)]),
  ].join("\n");
}

function indented(value: unknown): string {
  return styleText("dim", JSON.stringify(value, shortened, 2).replaceAll(/^/gm, "     "));
}

function shortened(_member: string, value: unknown): unknown {
  if (typeof value !== "string" || value.length <= MAX_SHOWN_CHARACTERS) return value;
  return `${value.slice(0, MAX_SHOWN_CHARACTERS)}… (${value.length} characters)`;
}
