/** The service with a planted fault: it opens files and never closes them. */
import { openSync } from "node:fs";

setInterval(() => openSync("/dev/null", "r"), 10);
await import("../../src/main.ts");
