/**
 * How recovered backups get to their clients. Making a large answer takes a share of the disk and of what the store can
 * deliver, so these are made in turns, and one client has no more than its share of them.
 */
import { ServiceError } from "../../errors.ts";
import type { AnswerPlace, AnswersInFlight } from "../../limits/answers-in-flight.ts";
import { FairSemaphore } from "../../runtime/fair-semaphore.ts";
import { IN_MEMORY_BYTES } from "../../runtime/sizes.ts";
import type { Services } from "../../services.ts";
import { connectionOf } from "../connection.ts";
import { contextOf } from "../request-context.ts";
import { type Answer, createAnswerFiles } from "./answer-files.ts";
import { type RetrievedBackup, retrievedBackupAnswer } from "./retrieved-backup.ts";

export interface BackupDelivery {
  /**
   * Begins the delivery of a backup to the client that sent `request`.
   *
   * @param backup `size` in bytes.
   * @throws TooManyRequests and `service_unavailable` as {@link AnswersInFlight.admit}.
   */
  begin(
    request: Request,
    backup: { readonly backupId: string; readonly size: number },
  ): {
    /**
     * Makes the answer, a large one in turn.
     *
     * @throws ServiceError `service_unavailable` when the disk refuses or its turn does not come in time; what `open`
     *   throws.
     */
    make(open: () => Promise<RetrievedBackup>): Promise<Pick<Answer, "send">>;
    discard(): Promise<void>;
  };
}

/** More at a time would not be made sooner, and would hold more memory. */
const MAX_MADE = 4;
/** So that the answers to one address never take all turns. */
const MAX_MADE_PER_ADDRESS = 3;
/** Clients wait for the answer 30 s at most, of which making it takes some. */
const MAX_WAIT_MS = 20_000;

export function createBackupDelivery(
  services: Pick<Services, "random" | "background" | "answersInFlight">,
): BackupDelivery {
  const files = createAnswerFiles(services);
  const { answersInFlight } = services;
  const turns = new FairSemaphore({
    permits: MAX_MADE,
    maxPerKey: MAX_MADE_PER_ADDRESS,
    maxWaitMs: MAX_WAIT_MS,
  });

  return {
    begin(request, { backupId, size }) {
      const { address } = contextOf(request);
      const admit = (bytes: number) =>
        answersInFlight.admit({ backupId, address, bytes: base64Length(bytes) });
      let place = size > IN_MEMORY_BYTES ? admit(size) : null;
      let made: Answer | null = null;

      async function makeLarge(open: () => Promise<RetrievedBackup>, taken: AnswerPlace) {
        const answer = await turns.run(address, async () => {
          requireClient(request);
          return retrievedBackupAnswer(request, await open(), files);
        });
        made = answer;
        return { send: () => sent(request, answer, taken) };
      }

      return {
        async make(open) {
          if (place !== null) return makeLarge(open, place);
          const backup = await open();
          if (backup.size <= IN_MEMORY_BYTES) return retrievedBackupAnswer(request, backup, files);
          await backup.content.cancel(); // a sync has made it a large one meanwhile
          place = admit(backup.size);
          return makeLarge(open, place);
        },
        async discard() {
          place?.giveBack();
          await made?.discard();
        },
      };
    },
  };
}

function sent(request: Request, answer: Answer, place: AnswerPlace): Response {
  const { file } = answer;
  if (file === null) {
    place.giveBack(); // a sync has made it a small one
    return answer.send();
  }
  const connection = connectionOf(request);
  place.resize(file.bytes);
  place.keepUntilOver({
    isOver: () => connection === null || !connection.isOpen(),
    limitIdle: (seconds) => connection?.limitIdle(seconds),
    end(isLate) {
      if (isLate) {
        connection?.limitIdle(1); // a client that reads nothing would not notice the end of the file
        void file.cutOff();
      } else void file.close();
    },
  });
  return answer.send();
}

/** An answer whose client has gone should not take a turn. */
function requireClient(request: Request): void {
  if (connectionOf(request)?.isOpen() === false)
    throw new ServiceError("request_timeout", "The client closed the connection");
}

function base64Length(bytes: number): number {
  return 4 * Math.ceil(bytes / 3);
}
