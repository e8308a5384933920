/**
 * The boundary that a content-type names; `null` where it is not multipart/form-data or names none that is valid: 1 to 70
 * characters, the last no space (RFC 2046 §5.1.1). Besides those of RFC 2046 a boundary may have every character of a
 * token (RFC 9110 §5.6.2): libraries use `*`, and unquoted they are valid in a content-type.
 */
export function boundaryOf(contentType: string): string | null {
  const [, quoted, token] =
    /^multipart\/form-data\s*;(?:[^"]|"[^"]*")*?(?<=[;\s])boundary=(?:"([^"]*)"|([^\s;"]*))/i.exec(
      contentType,
    ) ?? [];
  const boundary = quoted ?? token ?? "";
  return VALID.test(boundary) ? boundary : null;
}

const VALID = /^(?!.* $)[\w'()+,\-./:=? !#$%&*^`|~]{1,70}$/;
