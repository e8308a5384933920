/**
 * Bun 1.4.5 compares an object that occurs several times in what `toMatchObject` expects the first time only, so each of
 * its places gets a copy.
 */
import { expect } from "bun:test";

export function compareRepeatedObjects(): void {
  const matchers: object = Object.getPrototypeOf(expect(null));
  const original: unknown = Reflect.get(matchers, "toMatchObject");
  if (typeof original !== "function") throw new Error("there is no matcher toMatchObject");
  Reflect.set(matchers, "toMatchObject", function (this: unknown, expected: unknown) {
    return Reflect.apply(original, this, [copyOf(expected)]);
  });
}

/** With the same matchers, buffers and other objects of a class. */
function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copyOf(member)]));
}
