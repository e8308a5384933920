/** Elements of the page. */

/** The element with an id. @throws Error when the page has none of this type. */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no ${type.name} #${id}`);
  return found;
}

/** A new element. Texts are shown as they are; attributes that are `null` are left out. */
export function element(
  tag: string,
  attributes: Readonly<Record<string, string | null>> = {},
  ...children: readonly (Node | string)[]
): HTMLElement {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A button. @param name what a screen reader says where the text alone is not enough. */
export function button(text: string, onClick: () => void, name: string | null = null): HTMLElement {
  const made = element("button", { type: "button", "aria-label": name }, text);
  made.addEventListener("click", onClick);
  return made;
}

/** A time in seconds since the epoch, as the user's language has it. */
export function time(seconds: number): HTMLElement {
  const date = new Date(seconds * 1_000);
  const text = date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  return element("time", { datetime: date.toISOString() }, text);
}
