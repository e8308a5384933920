/** For Bun plugins that change a module of the service while it is loaded. */

/** A module with another text in one place, and more at its end. */
export async function changedModule(path: string, from: string, to: string, more = "") {
  const source = await Bun.file(path).text();
  if (!source.includes(from)) throw new Error(`${path} has no ${from}`);
  return { contents: source.replace(from, to) + more, loader: "ts" as const };
}

/** The module that opens the stores, where what it opens is first passed to `wrapper`, an expression of `from`. */
export function withWrappedStores(
  path: string,
  { from, wrapper }: { readonly from: string; readonly wrapper: string },
) {
  return changedModule(
    path,
    "export async function openStores(",
    "async function openSoundStores(",
    `
import * as wrapping from ${JSON.stringify(from)};
export async function openStores(...given: Parameters<typeof openSoundStores>) {
  return wrapping.${wrapper}(await openSoundStores(...given));
}`,
  );
}
