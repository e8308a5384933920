/**
 * Checks every item, at most `width` of them at a time, and yields what the checks return, in no order. If a check fails,
 * the generator throws the error after the running checks have ended.
 *
 * @param onDone is called with each item once its results were taken.
 */
export async function* concurrently<Item, Result>(
  items: AsyncIterable<Item>,
  width: number,
  check: (item: Item) => Promise<readonly Result[]>,
  onDone: (item: Item) => void = () => {},
): AsyncGenerator<Result> {
  const outcomes: Outcome<Item, Result>[] = [];
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
      onDone(outcome.item);
    }
  }

  try {
    for await (const item of items) {
      start(item);
      yield* endedUntil(width - 1);
    }
    yield* endedUntil(0);
  } finally {
    while (running > 0) await anotherEnd();
  }
}

type Outcome<Item, Result> = { readonly item: Item } & (
  | { readonly results: readonly Result[] }
  | { readonly error: unknown }
);

/** Never rejects: a check may fail before it is awaited. */
async function outcomeOf<Item, Result>(
  item: Item,
  check: (item: Item) => Promise<readonly Result[]>,
): Promise<Outcome<Item, Result>> {
  try {
    return { item, results: await check(item) };
  } catch (error) {
    return { item, error };
  }
}
