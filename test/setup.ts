/** Runs before every test file. */
import { setDefaultTimeout } from "bun:test";

/** The default of 5 s is short for a test that starts processes on a busy machine. */
setDefaultTimeout(60_000);
