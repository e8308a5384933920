/** The longest time of a timer: platforms count in 31 bits, and end at once after a longer one. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
