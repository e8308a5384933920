/** Lists of S3 in which most is as it should be. */
import type { Dice } from "./target.ts";

const TIME = "2026-02-03T04:05:06.000Z";
const KEY = "backup_account_02/blobs/01234567-89ab-4cde-8f01-23456789abcd";

/** Members with hostile values; elements that are repeated, missing, cut off or of another list; text around it. */
export function randomList(dice: Dice): Uint8Array {
  const element = (name: string, ...values: readonly [string, ...string[]]) => {
    const value = dice.oneIn(3) ? dice.of(values) : values[0];
    const text = dice.oneIn(24) ? "" : `<${name}>${value}</${name}>`;
    return dice.oneIn(24) ? text + text : text;
  };
  const object = () =>
    element("Key", KEY, "", "other", "&#x0;", "&b;", "<b>a</b>", "<![CDATA[a]]>") +
    element("Size", "4", "NaN", "-1", "4.5", "Infinity", "1e3", "", "99999999999999999999") +
    element("LastModified", TIME, "x", "", "2026-13-01T00:00:00Z", "0");
  const contents = Array.from({ length: dice.below(4) }, () => `<Contents>${object()}</Contents>`);
  const inner =
    element("IsTruncated", "false", "true", "", "1") +
    (dice.oneIn(3) ? element("NextContinuationToken", "same", "", "&amp;") : "") +
    contents.join("");
  const name = dice.oneIn(16) ? dice.of(["Error", "ListAllMyBucketsResult", "html"]) : "ListBucketResult";
  const list = `<${name}>${inner}</${name}>`;
  const before = dice.of(["", '<?xml version="1.0"?>', "<!DOCTYPE a [<!ENTITY b 'c'>]>", "\n"]);
  return Buffer.from(before + (dice.oneIn(8) ? list.slice(0, dice.below(list.length)) : list));
}
