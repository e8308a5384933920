/**
 * Checks every item, at most `width` of them at a time, and yields what the checks return, in no order. If a check or the
 * listing of the items fails, the generator yields what the running checks return, which may have changed something, and
 * then throws the error.
 *
 * @param onQuiet is called from time to time with an item when its results and those of all before it were taken, and
 *   no check runs.
 */
export async function* concurrently<Item, Result>(
  items: AsyncIterable<Item>,
  width: number,
  check: (item: Item) => Promise<readonly Result[]>,
  onQuiet: ((item: Item) => void) | null = null,
): AsyncGenerator<Result> {
  const outcomes: Outcome<Result>[] = [];
  let running = 0;
  let wake = () => {};

  function start(item: Item): void {
    running += 1;
    void outcomeOf(item, check).then((outcome) => {
      running -= 1;
      outcomes.push(outcome);
      wake();
    });
  }

  function anotherEnd(): Promise<void> {
    return new Promise((resolve) => {
      wake = resolve;
    });
  }

  async function* endedUntil(left: number): AsyncGenerator<Result> {
    while (running + outcomes.length > left) {
      const outcome = outcomes.shift();
      if (outcome === undefined) {
        await anotherEnd();
        continue;
      }
      if ("error" in outcome) throw outcome.error;
      yield* outcome.results;
    }
  }

  try {
    let count = 0;
    for await (const item of items) {
      start(item);
      count += 1;
      const isQuiet = onQuiet !== null && count % (width * ITEMS_BETWEEN_QUIET) === 0;
      yield* endedUntil(isQuiet ? 0 : width - 1);
      if (isQuiet) onQuiet(item);
    }
    yield* endedUntil(0);
  } catch (error) {
    while (running > 0) await anotherEnd();
    for (const outcome of outcomes) if ("results" in outcome) yield* outcome.results;
    throw error;
  } finally {
    while (running > 0) await anotherEnd();
  }
}

/** For each check that may run at a time. To wait for the last one costs about as long as one check takes. */
const ITEMS_BETWEEN_QUIET = 16;

type Outcome<Result> = { readonly results: readonly Result[] } | { readonly error: unknown };

/** Never rejects: a check may fail before it is awaited. */
async function outcomeOf<Item, Result>(
  item: Item,
  check: (item: Item) => Promise<readonly Result[]>,
): Promise<Outcome<Result>> {
  try {
    return { results: await check(item) };
  } catch (error) {
    return { error };
  }
}
