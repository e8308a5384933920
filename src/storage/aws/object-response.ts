/** What a response of S3 says about an object, which the SDK does not check. */

/** A size that a response states; `undefined` where it has none or what it has is no size. */
export function byteCount(stated: number | undefined): number | undefined {
  return Number.isSafeInteger(stated) && Number(stated) >= 0 ? stated : undefined;
}

/** Whether a success is the page of another server, such as a proxy. No object here has that type. */
export function isPage({ ContentType }: { readonly ContentType?: string | undefined }): boolean {
  return ContentType?.startsWith("text/html") === true;
}
