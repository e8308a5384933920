/** No service takes more; one may be set to take less, and refuses it then. */
const MAX_CONTENT_BYTES = 15 * 1024 * 1024;

/**
 * Before anything is asked of the service or the user: another value, such as a text, would be stored as other bytes, and a
 * content that is refused in the end would leave a passkey without a backup.
 *
 * @throws TypeError when a content is no `Uint8Array`, of whichever realm.
 * @throws RangeError when it has no byte, or more than 15 MiB.
 */
export function requireContent(content: Uint8Array): void {
  if (Object.prototype.toString.call(content) !== "[object Uint8Array]")
    throw new TypeError("the content is no Uint8Array");
  if (content.length === 0 || content.length > MAX_CONTENT_BYTES)
    throw new RangeError(`the content has ${content.length} bytes: it may have 1 byte to 15 MiB`);
}
