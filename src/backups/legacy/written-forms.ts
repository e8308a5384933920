/**
 * Values that the other service writes in several forms and this service in one. A form that differs is kept in another
 * member, so that an export writes it as it was.
 */
import { ManifestHash } from "../../protocol/backup.ts";
import { normalizedHex } from "../../protocol/hex.ts";
import { LegacyProblem } from "./metadata.ts";

const HASH = new RegExp(ManifestHash.pattern ?? "");
const RFC_3339 = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.\d{0,9})?(Z|z|[+-]\d{2}:\d{2})$/;

/** The canonical form of 32 bytes of hex; another text as it is. */
export function canonicalHash(text: string): string {
  return HASH.test(text) ? normalizedHex(text) : text;
}

/** Whole seconds since the epoch of a time of RFC 3339. @throws LegacyProblem */
export function secondsOf(time: string): number {
  const [, date, clock, zone = ""] = RFC_3339.exec(time) ?? [];
  const local = `${date}T${clock}`;
  const ms = Date.parse(`${local}${zone.toUpperCase()}`);
  // of a day that is not in the calendar the parser makes another one
  if (Number.isNaN(ms) || new Date(`${local}Z`).toISOString() !== `${local}.000Z`)
    throw new LegacyProblem("the time of a factor is not one of RFC 3339");
  return ms / 1000;
}

/** A time as the other service writes those without a fraction. */
export function timeOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
}

/** The kept form of a value, if it still means that value; the usual form otherwise. */
export function formOf(kept: unknown, usual: string, means: (written: string) => boolean): string {
  return typeof kept === "string" && means(kept) ? kept : usual;
}
