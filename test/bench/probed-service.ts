/** The service, with a probe in its event loop. */
import "../../src/main.ts";
import "./event-loop-probe.ts";
