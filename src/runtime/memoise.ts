/** Memoises `make`. Throws and rejections are not cached: the next call tries again. */
export function memoise<T>(make: () => T): () => T {
  let cached: { readonly value: T } | null = null;
  return () => {
    if (cached !== null) return cached.value;
    const kept = { value: make() };
    cached = kept;
    if (kept.value instanceof Promise)
      kept.value.catch(() => {
        if (cached === kept) cached = null;
      });
    return kept.value;
  };
}
