/** The result of a campaign. */
export interface Report {
  readonly cases: number;
  /** One line for each failed case, with what is needed to repeat it. */
  readonly failures: readonly string[];
  /** The paths of the operations that it plays, where it plays operations. */
  readonly played?: ReadonlySet<string>;
  /** Further columns of the table. */
  readonly notes?: Readonly<Record<string, string | number>>;
}

/** Runs `run` for each item, `width` at a time, and returns the results in the order of the items. */
export async function pooled<T, R>(
  items: readonly T[],
  width: number,
  run: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  const queue = items.entries();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const [index, item] of queue) results[index] = await run(item);
    }),
  );
  return results;
}
