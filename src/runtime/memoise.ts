/** Memoises `make`. Throws and rejections are not cached: the next call tries again. */
export function memoise<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    if (made !== null) return made.value;
    const kept = { value: make() };
    made = kept;
    if (kept.value instanceof Promise)
      kept.value.catch(() => {
        if (made === kept) made = null;
      });
    return kept.value;
  };
}
