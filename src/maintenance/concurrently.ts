/**
 * Checks every item, at most `width` of them at a time, and yields what the checks return, in no order. If a check fails,
 * the generator throws the error after the running checks have ended.
 */
export async function* concurrently<Item, Result>(
  items: AsyncIterable<Item>,
  width: number,
  check: (item: Item) => Promise<readonly Result[]>,
): AsyncGenerator<Result> {
  const running = new Map<number, Promise<Outcome<Result>>>();

  async function* endedUntil(left: number): AsyncGenerator<Result> {
    while (running.size > left) {
      const outcome = await Promise.race(running.values());
      running.delete(outcome.id);
      if ("error" in outcome) throw outcome.error;
      yield* outcome.results;
    }
  }

  let id = 0;
  try {
    for await (const item of items) {
      running.set(id, outcomeOf(id, check(item)));
      id += 1;
      yield* endedUntil(width - 1);
    }
    yield* endedUntil(0);
  } finally {
    await Promise.all(running.values());
  }
}

type Outcome<Result> = { readonly id: number } & (
  | { readonly results: readonly Result[] }
  | { readonly error: unknown }
);

/** Never rejects: a check may fail before it is awaited. */
async function outcomeOf<Result>(id: number, check: Promise<readonly Result[]>): Promise<Outcome<Result>> {
  try {
    return { id, results: await check };
  } catch (error) {
    return { id, error };
  }
}
