/** Earlier contents of a backup. */
import { type Static, Type } from "@sinclair/typebox";
import { LOWER_CASE_HEX, UUID } from "./backup.ts";
import { text } from "./text.ts";

export const VersionId = text({ description: "The `versionId` of a version in the metadata." });

export const Version = Type.Object({
  versionId: Type.String({ pattern: `^${UUID}$`, description: "UUID." }),
  manifestHash: Type.String({ pattern: LOWER_CASE_HEX, description: "32 bytes as lower-case hex." }),
  size: Type.Integer({ description: "Bytes of the ciphertext." }),
  createdAt: Type.Integer({
    description: "When it was stored; a restore does not change it. Seconds since the epoch.",
  }),
  replacedAt: Type.Integer({ description: "When other content replaced it. Seconds since the epoch." }),
});
export type Version = Static<typeof Version>;
