import { StorageUnavailable } from "../contract.ts";

interface PageOf<Page, Mark> {
  readonly page: Page;
  /** Where the next page begins; not given on the last one. */
  readonly next: Mark | undefined;
}

/**
 * The pages of a list. Memory holds one page and two marks, however many there are.
 *
 * @param first where the first page begins; not given for the beginning of the list.
 * @throws StorageUnavailable when the store names pages again and again, since such a list has no end: at the latest when
 *   it was read three times as far as the first page that was named before; what `read` throws.
 */
export async function* pagesOf<Page, Mark>(
  purpose: string,
  first: Mark | undefined,
  read: (mark: Mark | undefined) => Promise<PageOf<Page, Mark>>,
): AsyncGenerator<Page> {
  let mark = first;
  // Brent's cycle detection: each mark is compared with an earlier one, the first, second, fourth, and so on
  let earlier = JSON.stringify(first);
  let replacedAt = 1;
  let compared = 0;
  do {
    const { page, next } = await read(mark);
    if (next !== undefined) {
      const name = JSON.stringify(next);
      if (name === earlier)
        throw new StorageUnavailable(purpose, {
          cause: new Error("the store named a page of the list twice"),
        });
      compared += 1;
      if (compared === replacedAt) {
        earlier = name;
        replacedAt *= 2;
      }
    }
    yield page; // only now: what reads the list may delete what is on the page
    mark = next;
  } while (mark !== undefined);
}
