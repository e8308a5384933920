/**
 * Bytes in pieces, without a generator: the engine keeps what a generator once had in a variable until the variable has
 * another value. With many uploads that wait for their clients that would be a MiB and more for each.
 */

/** Bytes as they come. */
export interface Chunks extends AsyncIterable<Uint8Array> {
  next(): Promise<IteratorResult<Uint8Array, undefined>>;
  /** Closes the source. */
  return(): Promise<IteratorResult<Uint8Array, undefined>>;
  [Symbol.asyncIterator](): Chunks;
}

const OVER = { done: true, value: undefined } as const;

/**
 * @param next the next piece; `null` at the end.
 * @param end what is done once, at the end, at a failure of `next`, or when the reader has had enough.
 */
export function chunksOf(next: () => Promise<Uint8Array | null>, end: () => Promise<unknown>): Chunks {
  let isOver = false;
  async function finish() {
    if (!isOver) {
      isOver = true;
      await end();
    }
    return OVER;
  }
  return {
    async next() {
      if (isOver) return OVER;
      try {
        const value = await next();
        if (value !== null) return { done: false, value };
      } catch (error) {
        await finish();
        throw error;
      }
      return finish();
    },
    return: finish,
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** The same pieces; `see` gets each one before it is passed on, and ends them when it throws. */
export function tapped(
  content: AsyncIterable<Uint8Array>,
  see: (chunk: Uint8Array) => void | Promise<void>,
): Chunks {
  const chunks = content[Symbol.asyncIterator]();
  return chunksOf(
    async () => {
      const { value, done } = await chunks.next();
      if (done === true) return null;
      await see(value);
      return value;
    },
    async () => chunks.return?.(),
  );
}
