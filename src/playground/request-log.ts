/** The list of requests beside the actions: what was signed, what was sent, what came back. */
import { encodeHex } from "../client/hash.ts";
import { button, byId, element } from "./dom.ts";
import type { Recorded, RecordedRequest, RecordedSignature } from "./record.ts";

/** So many bytes of a ciphertext are shown. */
const SHOWN_BYTES = 64;

/** In CSS pixels. */
const NEAR_END = 40;

export interface RequestLog {
  /** The entries that follow are a group with the name of an action. */
  startAction(name: string): void;
  add(entry: Recorded): void;
}

export function requestLog(): RequestLog {
  const list = byId("log", HTMLOListElement);
  const count = byId("request-count", HTMLElement);
  const empty = byId("log-empty", HTMLElement);
  let requests = 0;
  let action: string | null = null;
  const refresh = () => {
    count.textContent = String(requests);
    empty.hidden = list.childElementCount > 0;
  };
  /** Shows what is appended, unless the user has scrolled up to read. */
  const append = (...items: readonly HTMLElement[]) => {
    const column = list.parentElement; // on a phone it is as high as its content
    const isAtEnd =
      column !== null && column.scrollHeight - column.scrollTop - column.clientHeight < NEAR_END;
    list.append(...items);
    refresh();
    if (isAtEnd) column.scrollTop = column.scrollHeight;
  };
  byId("clear-log", HTMLButtonElement).addEventListener("click", () => {
    requests = 0;
    list.replaceChildren();
    refresh();
  });
  return {
    startAction(name) {
      action = name;
    },
    add(entry) {
      if (entry.kind === "request") requests++;
      append(
        ...(action === null ? [] : [element("li", {}, element("h3", {}, action))]),
        entry.kind === "request" ? shownRequest(entry) : shownSignature(entry),
      );
      action = null;
    },
  };
}

function shownRequest({ method, path, sent, content, status, received, requestId, ms }: RecordedRequest) {
  const isGood = status !== null && status < 400;
  const result = element("span", { class: isGood ? "good" : "bad" }, String(status ?? "no response"));
  const rest = `${Math.round(ms)} ms`;
  return element(
    "li",
    {},
    element(
      "details",
      { class: "request" },
      element("summary", {}, element("code", {}, `${method} ${path}`), " ", result, " ", rest),
      ...block("Request", JSON.stringify(sent, null, 2)),
      ...(content === null ? [] : block(`Ciphertext, ${content.length} bytes`, hexOf(content))),
      ...block("Response", received === null ? "(empty)" : JSON.stringify(received, null, 2)),
      ...(requestId === null ? [] : [element("p", { class: "muted" }, "Request id ", requestId)]),
    ),
  );
}

function shownSignature({ signer, form, message, signature }: RecordedSignature) {
  return element(
    "li",
    {},
    element(
      "details",
      { class: "signature" },
      element("summary", {}, `${signer} signs ${message.length} bytes`),
      element("p", {}, form),
      ...block("Signed bytes, in hex", encodeHex(message)),
      ...block("Signature, in hex", encodeHex(signature)),
    ),
  );
}

function block(title: string, text: string): readonly HTMLElement[] {
  const copy = button(
    "Copy",
    () => {
      const said = (result: string) => {
        copy.textContent = result;
      };
      navigator.clipboard.writeText(text).then(
        () => said("Copied"),
        () => said("Not copied"), // the browser does not permit it: the user selects the text
      );
    },
    `Copy: ${title}`,
  );
  return [
    element("div", { class: "block-title" }, element("h4", {}, title), copy),
    element("pre", { tabindex: "0" }, text),
  ];
}

function hexOf(content: Uint8Array): string {
  const rest = content.length > SHOWN_BYTES ? "…" : "";
  return encodeHex(content.subarray(0, SHOWN_BYTES)) + rest;
}
