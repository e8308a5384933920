/**
 * Large responses on their way to clients. Each is written to a temporary file before its first byte is sent: so its
 * length is known, an error response is still possible, and a phone that reads for minutes takes no memory.
 */
import { type FileHandle, open, readdir, stat, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { ServiceError } from "../../errors.ts";
import type { Background } from "../../runtime/background.ts";
import type { Random } from "../../runtime/clock.ts";
import { requireWritable } from "../../runtime/folders.ts";
import { BLOCK_BYTES } from "../../runtime/sizes.ts";
import { orNullIfMissing } from "../../runtime/system-errors.ts";

/** A response in a file, which takes disk until it is discarded, closed or cut off. */
export interface ResponseFile {
  readonly bytes: number;
  /** The response, which the server has to receive in the same iteration of the event loop. */
  send(): Response;
  /** Removes a file that was not sent. */
  discard(): Promise<void>;
  /** Frees the disk of a response that the server has sent, or will not send any more. */
  close(): Promise<void>;
  /** As {@link ResponseFile.close}, while the server is sending it: the client does not get the rest. */
  cutOff(): Promise<void>;
}

export interface ResponseFiles {
  /**
   * A response that consists of these texts, of type `application/json`.
   *
   * @throws ServiceError `service_unavailable` when the disk refuses; what `texts` throws.
   */
  make(texts: AsyncIterable<string>): Promise<ResponseFile>;
}

const PREFIX = "backup-service-answer-";
/** How long a sent file keeps its name. The server opens it in the same iteration of the event loop. */
const NAMED_MS = 100;
/** Longer than it may take to make a response. */
const ABANDONED_MS = 2 * 60 * 1000;

const utf8 = new TextEncoder();

/** The files have mode 0600, and lose their names shortly after the server has opened them. */
export function createResponseFiles({
  random,
  background,
}: {
  readonly random: Random;
  readonly background: Background;
}): ResponseFiles {
  return {
    async make(texts) {
      const path = join(tmpdir(), PREFIX + random.uuid());
      const file = await unlessRefused(() => open(path, "wx", 0o600));
      const close = () => background.runAtOnce("close a response file", () => file.close());
      const discard = async () => {
        await background.run("remove a response file", () => unlink(path));
        await close();
      };
      try {
        const bytes = await write(file, texts);
        return {
          bytes,
          send() {
            void background.run("remove a response file", () => after(NAMED_MS).then(() => unlink(path)));
            const headers = {
              "content-type": "application/json",
              "content-length": String(bytes),
              // otherwise a client whose response was cut off would take the next response for the rest
              connection: "close",
            };
            return new Response(Bun.file(path), { headers });
          },
          discard,
          close,
          cutOff: () =>
            background.runAtOnce("cut off a response", () => file.truncate(0).finally(() => file.close())),
        };
      } catch (error) {
        await discard();
        throw error;
      }
    },
  };
}

/** @returns how many bytes were written. */
async function write(file: FileHandle, texts: AsyncIterable<string>): Promise<number> {
  const block = new Uint8Array(BLOCK_BYTES);
  let used = 0;
  let total = 0;
  const flush = async () => {
    await unlessRefused(() => file.appendFile(block.subarray(0, used)));
    total += used;
    used = 0;
  };
  for await (const text of texts)
    for (let rest = text; rest !== ""; ) {
      const { read, written } = utf8.encodeInto(rest, block.subarray(used));
      rest = rest.slice(read);
      used += written;
      if (rest !== "") await flush();
    }
  await flush();
  return total;
}

async function unlessRefused<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw new ServiceError(
      "service_unavailable",
      `The folder for temporary files, ${tmpdir()}, cannot be used now`,
      { cause: error },
    );
  }
}

/** @throws ServiceError `service_unavailable` when no large response can be made. */
export async function requireResponseFolder(random: Random): Promise<void> {
  await unlessRefused(() => requireWritable(tmpdir(), PREFIX + random.uuid()));
}

/** Removes the response files of killed processes, now and regularly until the returned function is called. */
export function removeAbandonedResponses(background: Background): () => void {
  const remove = () => void background.run("remove abandoned response files", removeAbandoned);
  remove();
  const timer = setInterval(remove, ABANDONED_MS);
  return () => clearInterval(timer);
}

/** Another process may remove them at the same time. */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const path = join(tmpdir(), name);
    const found = await orNullIfMissing(stat(path));
    if (found === null || found.uid !== process.geteuid?.()) continue;
    if (Date.now() - found.mtimeMs > ABANDONED_MS) await orNullIfMissing(unlink(path));
  }
}
