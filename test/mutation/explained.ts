/** Mutants that no test can notice, or that none has to: each with its reason. */
import { BACKUPS } from "./explained/backups.ts";
import { CRYPTO } from "./explained/crypto.ts";
import type { Explanations } from "./explained/explanations.ts";
import { PROOFS } from "./explained/proofs.ts";
import { PROOFS_IDENTITY } from "./explained/proofs-identity.ts";
import { STORAGE } from "./explained/storage.ts";
import { STORAGE_AWS } from "./explained/storage-aws.ts";
import { STORAGE_LOCAL } from "./explained/storage-local.ts";
import { STORAGE_LOCAL_COPY } from "./explained/storage-local-copy.ts";

export const EXPLAINED: Explanations = {
  ...BACKUPS,
  ...CRYPTO,
  ...PROOFS,
  ...PROOFS_IDENTITY,
  ...STORAGE,
  ...STORAGE_AWS,
  ...STORAGE_LOCAL,
  ...STORAGE_LOCAL_COPY,
};
