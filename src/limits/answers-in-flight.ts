/**
 * Counts the large answers that are being made or read. Each takes a file until its client has read it. So there are
 * limits for a backup, for an address and for all, and a client has to read at an average rate.
 */

import { ServiceError } from "../errors.ts";
import type { Clock } from "../runtime/clock.ts";
import { TooManyRequests } from "./rate-limiter.ts";
import { MIN_BYTES_PER_SECOND } from "./request-time.ts";

export interface AnswersInFlightOptions {
  readonly clock: Clock;
  readonly maxPerBackup: number;
  /** Bytes of all answers together. */
  readonly maxBytes: number;
  /** Bytes of the answers to one address. */
  readonly maxBytesPerAddress: number;
}

/** An answer on its way to its client. */
export interface SentAnswer {
  /** Whether the client has it, or is gone. */
  isOver(): boolean;
  /** Breaks it off once its client reads nothing for so many seconds. */
  limitIdle(seconds: number): void;
  /** Called once, when it is over or late; breaks it off if it is late, and frees its file. */
  end(isLate: boolean): void;
}

/** The place of one answer. */
export interface AnswerPlace {
  /** Says how many bytes the answer has really become. */
  resize(bytes: number): void;
  /** Keeps the place until the answer is over. */
  keepUntilOver(answer: SentAnswer): void;
  /** Gives the place back, unless an answer keeps it. */
  giveBack(): void;
}

interface Place {
  readonly backupId: string;
  readonly address: string;
  bytes: number;
  sent: { readonly answer: SentAnswer; readonly deadlineMs: number } | null;
}

/** A reader slower than `MIN_BYTES_PER_SECOND` has this much time more. */
const MIN_READING_MS = 30_000;
/** What a slow but healthy connection needs to drain a full socket buffer, which then shows as progress. */
const MAX_IDLE_UNDER_PRESSURE_S = 20;
const RETRY_AFTER_S = 5;
/** How often the answers that are over are found, to free their files. It is also done when a place is needed. */
const CHECKED_EVERY_MS = 100;

/** Two devices at a time, or one that tries again while its first connection hangs. */
const MAX_PER_BACKUP = 2;
/** Of the bytes of all. */
const ADDRESS_SHARE = 1 / 4;

/** With the limits of this service, for answers of at most so many bytes together. */
export function createAnswersInFlight(maxBytes: number, clock: Clock): AnswersInFlight {
  return new AnswersInFlight({
    clock,
    maxPerBackup: MAX_PER_BACKUP,
    maxBytes,
    maxBytesPerAddress: maxBytes * ADDRESS_SHARE,
  });
}

export class AnswersInFlight {
  readonly #options: AnswersInFlightOptions;
  readonly #places = new Set<Place>();
  #timer: Timer | null = null;

  constructor(options: AnswersInFlightOptions) {
    this.#options = options;
  }

  /** Bytes of the answers that are being made or read. */
  get bytes(): number {
    return bytesOf([...this.#places]);
  }

  /**
   * A place for an answer of about so many bytes.
   *
   * @throws TooManyRequests when the backup or the address has its share. ServiceError `service_unavailable` when all
   *   places are taken. In either case an answer that takes such a place is broken off if its client reads nothing.
   */
  admit({ backupId, address, bytes }: Omit<Place, "sent">): AnswerPlace {
    this.#endWhatIsOver();
    const { maxPerBackup, maxBytes, maxBytesPerAddress } = this.#options;
    const places = [...this.#places];
    const ofBackup = places.filter((place) => place.backupId === backupId);
    if (ofBackup.length >= maxPerBackup) {
      hurry(ofBackup);
      throw new TooManyRequests("backup-answers", RETRY_AFTER_S);
    }
    const ofAddress = places.filter((place) => place.address === address);
    if (bytesOf(ofAddress) + bytes > maxBytesPerAddress) {
      hurry(ofAddress);
      throw new TooManyRequests("address-answers", RETRY_AFTER_S);
    }
    if (bytesOf(places) + bytes > maxBytes) {
      hurry(places);
      throw new ServiceError("service_unavailable", "Too many large answers are being read");
    }
    const place: Place = { backupId, address, bytes, sent: null };
    this.#places.add(place);
    return {
      resize: (actualBytes) => {
        place.bytes = actualBytes;
      },
      keepUntilOver: (answer) => {
        const readingMs = MIN_READING_MS + (place.bytes / MIN_BYTES_PER_SECOND) * 1000;
        place.sent = { answer, deadlineMs: this.#options.clock.elapsedMs() + readingMs };
        this.#timer ??= setInterval(() => this.#endWhatIsOver(), CHECKED_EVERY_MS).unref();
      },
      giveBack: () => {
        if (place.sent === null) this.#places.delete(place);
      },
    };
  }

  #endWhatIsOver(): void {
    const nowMs = this.#options.clock.elapsedMs();
    let isAnySent = false;
    for (const place of this.#places) {
      if (place.sent === null) continue;
      const { answer, deadlineMs } = place.sent;
      const isOver = answer.isOver();
      if (isOver || nowMs >= deadlineMs) {
        this.#places.delete(place);
        answer.end(!isOver);
      } else isAnySent = true;
    }
    if (isAnySent || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}

function hurry(places: readonly Place[]): void {
  for (const { sent } of places) sent?.answer.limitIdle(MAX_IDLE_UNDER_PRESSURE_S);
}

function bytesOf(places: readonly Place[]): number {
  return places.reduce((sum, { bytes }) => sum + bytes, 0);
}
