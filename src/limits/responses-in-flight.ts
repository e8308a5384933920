/**
 * Limits the large responses that are being made or read, because each takes a file until its client has read it: for a
 * backup, for an address and for all. A client has to read at an average rate.
 */
import { NoRoom } from "../errors.ts";
import type { Clock } from "../runtime/clock.ts";
import { forThisRequest } from "../runtime/current-request.ts";
import { FairSemaphore } from "../runtime/fair-semaphore.ts";
import { TooManyRequests } from "./rate-limiter.ts";
import { MIN_BYTES_PER_SECOND } from "./time-limit.ts";

export interface ResponsesInFlight {
  /** Bytes of the responses that are being made or read. */
  readonly bytes: number;
  /**
   * Reserves disk for a response of about so many bytes.
   *
   * @throws TooManyRequests when the backup or the address has its share. NoRoom when all
   *   disk is reserved. In each case the responses that take the share are aborted if their clients read nothing.
   */
  admit(response: {
    readonly backupId: string;
    readonly address: string;
    readonly bytes: number;
  }): ResponseReservation;
}

export interface ResponseReservation {
  /** Keeps the reservation, of `bytes` from now on, until the response is over. */
  keepUntilOver(bytes: number, response: SentResponse): void;
  /** Releases the reservation, unless a response keeps it. */
  release(): void;
}

/** A response on its way to its client. */
export interface SentResponse {
  /** Whether the client has it, or is gone. */
  isOver(): boolean;
  /** Aborts it once its client reads nothing for so many seconds. */
  limitIdle(seconds: number): void;
  /** Called once, when it is over or late: frees its file, and aborts it if it is late. */
  end(isLate: boolean): void;
}

interface Reserved {
  readonly backupId: string;
  readonly address: string;
  bytes: number;
  sent: {
    readonly response: SentResponse;
    readonly end: SentResponse["end"];
    readonly deadlineMs: number;
  } | null;
}

/** More at a time would not be made sooner, and would take more memory. */
const MAX_MADE = 4;
/** So that one address never has all permits. */
const MAX_MADE_PER_ADDRESS = 3;
/** Clients wait 30 s at most, of which making the response takes some. */
const MAX_WAIT_MS = 20_000;

/** The permits to make large responses, by client address. @param onWaited as for {@link FairSemaphore}. */
export function createResponsePermits(onWaited: (seconds: number) => void): FairSemaphore {
  return new FairSemaphore({
    permits: MAX_MADE,
    maxPerKey: MAX_MADE_PER_ADDRESS,
    maxWaitMs: MAX_WAIT_MS,
    onWaited,
  });
}

/** The time that a client has in addition to what reading at `MIN_BYTES_PER_SECOND` takes. */
const MIN_READING_MS = 30_000;
/** What a slow but healthy connection needs to drain a full socket buffer, which then shows as progress. */
const MAX_IDLE_UNDER_PRESSURE_S = 20;
const RETRY_AFTER_S = 5;
/** How often the files of responses that are over are freed. Each reservation of disk frees them too. */
const CHECKED_EVERY_MS = 100;
/** Two devices at a time, or one that retries while its first connection hangs. */
const MAX_PER_BACKUP = 2;
/** The part of `maxBytes` that one address may take. */
const ADDRESS_SHARE = 1 / 4;

export function createResponsesInFlight(maxBytes: number, clock: Clock): ResponsesInFlight {
  const all = new Set<Reserved>();
  let timer: Timer | null = null;

  function endWhatIsOver(): void {
    const nowMs = clock.elapsedMs();
    for (const reserved of all) {
      if (reserved.sent === null) continue;
      const { response, end, deadlineMs } = reserved.sent;
      const isOver = response.isOver();
      if (!isOver && nowMs < deadlineMs) continue;
      all.delete(reserved);
      end(!isOver);
    }
    if (timer === null || all.values().some(({ sent }) => sent !== null)) return;
    clearInterval(timer);
    timer = null;
  }

  return {
    get bytes() {
      return bytesOf([...all]);
    },
    admit({ backupId, address, bytes }) {
      endWhatIsOver();
      const ofBackup = [...all].filter((reserved) => reserved.backupId === backupId);
      if (ofBackup.length >= MAX_PER_BACKUP) {
        limitIdle(ofBackup);
        throw new TooManyRequests("backup-answers", RETRY_AFTER_S);
      }
      const ofAddress = [...all].filter((reserved) => reserved.address === address);
      if (bytesOf(ofAddress) + bytes > maxBytes * ADDRESS_SHARE) {
        limitIdle(ofAddress);
        throw new TooManyRequests("address-answers", RETRY_AFTER_S);
      }
      if (bytesOf([...all]) + bytes > maxBytes) {
        limitIdle([...all]);
        throw new NoRoom("Too many large responses are being read");
      }
      const reserved: Reserved = { backupId, address, bytes, sent: null };
      all.add(reserved);
      return {
        keepUntilOver(actualBytes, response) {
          const readingMs = MIN_READING_MS + (actualBytes / MIN_BYTES_PER_SECOND) * 1000;
          reserved.bytes = actualBytes;
          const end = forThisRequest(response.end.bind(response));
          reserved.sent = { response, end, deadlineMs: clock.elapsedMs() + readingMs };
          timer ??= setInterval(endWhatIsOver, CHECKED_EVERY_MS).unref();
        },
        release() {
          if (reserved.sent === null) all.delete(reserved);
        },
      };
    },
  };
}

function limitIdle(responses: readonly Reserved[]): void {
  for (const { sent } of responses) sent?.response.limitIdle(MAX_IDLE_UNDER_PRESSURE_S);
}

function bytesOf(responses: readonly Reserved[]): number {
  return responses.reduce((sum, { bytes }) => sum + bytes, 0);
}
