/** A secret in a file, as Docker, Kubernetes and systemd hand secrets to a process. */

import { isUtf8 } from "node:buffer";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { errorCode } from "../runtime/system-errors.ts";

/** More than any of the secrets takes. */
const MAX_BYTES = 64 * 1024;
const WRITABLE_BY_OTHERS = 0o002;

/** The secret, or what is wrong with the file: the end of a sentence that begins with the name of the variable. */
export type SecretFile = { readonly secret: string } | { readonly problem: string };

/**
 * Reads a file with one secret, without the white space around it. A file that others may read is accepted: the modes that
 * Docker (0444) and Kubernetes (0644) choose say nothing of who reaches the file. One that others may write is refused.
 * No problem names the path: a secret that was put into the wrong variable would be shown.
 */
export function readSecretFile(path: string): SecretFile {
  try {
    // without waiting for a writer, where it is a pipe
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return contentOf(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const code = errorCode(error);
    if (code === null) throw error;
    return { problem: `names a file that cannot be read (${code})` };
  }
}

function contentOf(file: number): SecretFile {
  const { mode, isFile } = kindOf(file);
  if (!isFile) return { problem: "must name a file, not a folder or a device" };
  if ((mode & WRITABLE_BY_OTHERS) !== 0)
    return { problem: "names a file that every user may write: chmod o-w it, and replace the secret" };
  const buffer = new Uint8Array(MAX_BYTES + 1);
  let length = 0;
  for (let read = -1; read !== 0 && length < buffer.length; length += read)
    read = readSync(file, buffer, length, buffer.length - length, null);
  if (length > MAX_BYTES) return { problem: `names a file of more than ${MAX_BYTES / 1024} KiB` };
  const bytes = buffer.subarray(0, length);
  const secret = isUtf8(bytes) ? new TextDecoder().decode(bytes).trim() : null;
  if (secret === null || secret.includes("\0")) return { problem: "names a file that is not text" };
  return secret === "" ? { problem: "names a file that is empty" } : { secret };
}

function kindOf(file: number) {
  const stats = fstatSync(file);
  return { mode: stats.mode, isFile: stats.isFile() };
}
