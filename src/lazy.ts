/**
 * Has `make` called when its value is first asked for, and the value kept. What it throws is not kept, nor is a promise
 * that rejects: who asks next has it tried again.
 */
export function lazy<T>(make: () => T): () => T {
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
