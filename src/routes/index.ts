import { type AnyElysia, Elysia } from "elysia";
import type { Services } from "../services.ts";
import { addFactor } from "./add-factor.ts";
import { addSyncFactor } from "./add-sync-factor.ts";
import { backupStatus } from "./backup-status.ts";
import { challenges } from "./challenges.ts";
import { create } from "./create.ts";
import { deleteBackup } from "./delete-backup.ts";
import { deleteFactor } from "./delete-factor.ts";
import { health } from "./health.ts";
import { listEvents } from "./list-events.ts";
import { reset } from "./reset.ts";
import { restoreVersion } from "./restore-version.ts";
import { retrieve } from "./retrieve.ts";
import { retrieveMetadata } from "./retrieve-metadata.ts";
import { sync } from "./sync.ts";
import { testIssuer } from "./test-issuer.ts";
import { undelete } from "./undelete.ts";
import { verifyFactor } from "./verify-factor.ts";

const ROUTES: readonly ((services: Services) => AnyElysia)[] = [
  challenges,
  create,
  retrieve,
  verifyFactor,
  addFactor,
  addSyncFactor,
  sync,
  restoreVersion,
  undelete,
  listEvents,
  retrieveMetadata,
  deleteFactor,
  deleteBackup,
  reset,
  backupStatus,
  health,
  testIssuer,
];

/** Every route that a client can call. */
export function routes(services: Services): AnyElysia {
  const all = new Elysia({ name: "routes" });
  for (const route of ROUTES) all.use(route(services));
  return all;
}
