import { StorageUnavailable } from "../contract.ts";

interface PageOf<Page, Mark> {
  readonly page: Page;
  /** Where the next page begins; not given on the last one. */
  readonly next: Mark | undefined;
}

/**
 * The pages of a list.
 *
 * @param first where the first page begins; not given for the beginning of the list.
 * @throws StorageUnavailable when the store names a page a second time, since such a list has no end; what `read` throws.
 */
export async function* pagesOf<Page, Mark>(
  purpose: string,
  first: Mark | undefined,
  read: (mark: Mark | undefined) => Promise<PageOf<Page, Mark>>,
): AsyncGenerator<Page> {
  const seen = new Set([JSON.stringify(first)]);
  let mark = first;
  do {
    const { page, next } = await read(mark);
    if (next !== undefined) {
      const name = JSON.stringify(next);
      if (seen.has(name))
        throw new StorageUnavailable(purpose, {
          cause: new Error("the store named a page of the list twice"),
        });
      seen.add(name);
    }
    yield page; // only now: what reads the list may delete what is on the page
    mark = next;
  } while (mark !== undefined);
}
