/** The files beside the sources that are read while the service runs: texts, styles and documents of its pages. */

/** The folder `src`. In the one file it is a folder inside that file, and has only what `cli/build.ts` puts there. */
export const SOURCES: URL = new URL(Bun.isStandaloneExecutable ? "./" : "../", import.meta.url);
