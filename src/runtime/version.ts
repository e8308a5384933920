import { version as packageVersion } from "../../package.json" with { type: "json" };

/** The version of the service (semver), as `/health` and the API reference report it. */
export const version: string = packageVersion;
