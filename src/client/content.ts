/**
 * Before anything is asked of the service or the user: another value, such as a text, would be stored as other bytes.
 *
 * @throws TypeError when a content is no `Uint8Array`, of whichever realm.
 */
export function requireBytes(content: unknown): void {
  if (Object.prototype.toString.call(content) !== "[object Uint8Array]")
    throw new TypeError("the content is no Uint8Array");
}
