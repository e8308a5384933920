/**
 * Large answers on their way to clients. Each is made as a whole in a temporary file, which the server then sends: so
 * its length is known before its first byte, an error while it is made can still be answered, and a phone that takes
 * minutes to read it holds no memory meanwhile.
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

/** An answer that is ready. It has to be sent or discarded. */
export interface Answer {
  /** The response, for the server to have at once. */
  send(): Response;
  discard(): Promise<void>;
  /** Set for one that is in a file. */
  readonly file: AnswerFile | null;
}

/** The file of an answer. It takes disk until it is closed, also when the answer was sent. */
export interface AnswerFile {
  readonly bytes: number;
  /** Frees the disk of an answer that the server has sent, or will not send any more. */
  close(): Promise<void>;
  /** As {@link AnswerFile.close}, while the server is sending it: there is no more of it from here on. */
  cutOff(): Promise<void>;
}

export interface AnswerFiles {
  /**
   * An answer that consists of these texts, of type `application/json`.
   *
   * @throws ServiceError `service_unavailable` when the disk refuses; what `texts` throws.
   */
  make(texts: AsyncIterable<string>): Promise<Answer>;
}

export interface AnswerFilesOptions {
  readonly random: Random;
  readonly background: Background;
}

const PREFIX = "backup-service-answer-";
/** The server opens a file as soon as it is handed the answer, in the same turn of the event loop. */
const NAMED_MS = 100;
/** Longer than an answer may take to be made. */
const ABANDONED_MS = 2 * 60 * 1000;

const utf8 = new TextEncoder();

/** The files have mode 0600, and lose their names shortly after the server has opened them. */
export function createAnswerFiles({ random, background }: AnswerFilesOptions): AnswerFiles {
  return {
    async make(texts) {
      const path = join(tmpdir(), PREFIX + random.uuid());
      const file = await unlessRefused(() => open(path, "wx", 0o600));
      const close = () => background.runAtOnce("close an answer", () => file.close());
      const discard = async () => {
        await background.run("remove an answer", () => unlink(path));
        await close();
      };
      try {
        const bytes = await write(file, texts);
        return {
          file: {
            bytes,
            close,
            cutOff: () =>
              background.runAtOnce("cut off an answer", () => file.truncate(0).finally(() => file.close())),
          },
          send() {
            void background.run("remove an answer", () => after(NAMED_MS).then(() => unlink(path)));
            const headers = {
              "content-type": "application/json",
              "content-length": String(bytes),
              // one that is cut off must not be followed by another answer, which would be taken for the rest of it
              connection: "close",
            };
            return new Response(Bun.file(path), { headers });
          },
          discard,
        };
      } catch (error) {
        await discard();
        throw error;
      }
    },
  };
}

/** @returns how many bytes these texts have. */
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

/**
 * Resolves when large answers can be made.
 *
 * @throws ServiceError `service_unavailable`
 */
export async function requireAnswerFolder({ random }: Pick<AnswerFilesOptions, "random">): Promise<void> {
  await unlessRefused(() => requireWritable(tmpdir(), PREFIX + random.uuid()));
}

/** Removes answers that killed processes were about to send, now and regularly until the result is called. */
export function removeAbandonedRegularly(background: Background): () => void {
  const remove = () => void background.run("remove abandoned answers", removeAbandoned);
  remove();
  const timer = setInterval(remove, ABANDONED_MS);
  return () => clearInterval(timer);
}

/** Other processes may be removing them too. */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const path = join(tmpdir(), name);
    const found = await orNullIfMissing(stat(path));
    if (found === null || found.uid !== process.geteuid?.()) continue;
    if (Date.now() - found.mtimeMs > ABANDONED_MS) await orNullIfMissing(unlink(path));
  }
}
