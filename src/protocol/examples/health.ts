import type { Example } from "./example.ts";

/** The process is alive. */
export const health: Example = {
  method: "GET",
  path: "/health",
  request: null,
  status: 200,
  response: `{
  "status": "ok",
  "semver": "1.0.0",
  "rev": null
}`,
};

/** Every store responds and takes a write. */
export const ready: Example = {
  method: "GET",
  path: "/ready",
  request: null,
  status: 200,
  response: `{
  "status": "ok"
}`,
};
