/** Whether a page can be read: on a phone and on a screen, in light and in dark colours. */
import { expect } from "bun:test";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Profile } from "./chromium.ts";

const Seen = Type.Object({ width: Type.Number(), contrast: Type.Number(), page: Type.Number() });

/** The width of the page, and the least contrast of a text with what is behind it (WCAG 2.2, 1.4.3). */
const seen = (selector: string) => `(() => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => {
      const value = part / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  const behind = (element) => {
    const { backgroundColor } = getComputedStyle(element);
    return backgroundColor === "rgba(0, 0, 0, 0)" && element.parentElement !== null
      ? behind(element.parentElement) : luminance(backgroundColor);
  };
  const shown = [...document.querySelectorAll(${JSON.stringify(selector)})].filter((one) => one.checkVisibility());
  const contrasts = shown.map((one) => contrast(luminance(getComputedStyle(one).color), behind(one)));
  return { width: document.documentElement.scrollWidth, contrast: Math.min(...contrasts), page: behind(document.body) };
})()`;

/** @param selector of the elements with text. @param open loads the page. */
export async function expectReadable(
  profile: Profile,
  selector: string,
  open: () => Promise<unknown>,
): Promise<void> {
  for (const width of [390, 1280])
    for (const colours of ["light", "dark"] as const) {
      await profile.show(width, colours);
      await open();
      const { width: needed, contrast, page } = Value.Parse(Seen, await profile.evaluate(seen(selector)));
      expect(needed).toBeLessThanOrEqual(width);
      expect(contrast).toBeGreaterThan(4.5);
      if (colours === "dark") expect(page).toBeLessThan(0.1);
      else expect(page).toBeGreaterThan(0.9);
    }
}
