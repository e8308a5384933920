import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { fromLegacy } from "../../../src/backups/legacy/from-legacy.ts";
import { readLegacyMetadata } from "../../../src/backups/legacy/metadata.ts";
import { toLegacy } from "../../../src/backups/legacy/to-legacy.ts";
import { readMetadata, storedMetadata } from "../../../src/backups/model.ts";
import type { JsonObject } from "../../../src/storage/contract.ts";
import { legacyMetadata } from "../../support/legacy-arbitrary.ts";

const ISSUERS = { GOOGLE: "https://google", APPLE: "https://apple" };

function imported(legacy: JsonObject & { readonly id: string }) {
  const metadata = fromLegacy(readLegacyMetadata(legacy.id, JSON.stringify(legacy)), ISSUERS);
  return readMetadata(JSON.parse(JSON.stringify(storedMetadata(metadata))));
}

describe("metadata of the other service", () => {
  test("come back from an import as they were, the credentials of passkeys byte for byte", () => {
    fc.assert(
      fc.property(legacyMetadata, (legacy) => {
        const back = toLegacy(imported(legacy), String(legacy.archiveId), ISSUERS);
        expect(JSON.parse(JSON.stringify(back))).toEqual(legacy);
        expect(credentialsIn(back)).toEqual(credentialsIn(legacy));
      }),
    );
  });

  test("that come from an export are what they were before it", () => {
    fc.assert(
      fc.property(legacyMetadata, (legacy) => {
        const ours = imported(legacy);
        const exported = JSON.parse(JSON.stringify(toLegacy(ours, "archive_1", ISSUERS)));
        expect(imported(exported)).toEqual(ours);
      }),
    );
  });
});

/** As JSON texts, which say in which order members are. */
function credentialsIn(metadata: unknown): string[] {
  const { factors } = metadata as { factors: { kind: { webauthnCredential?: unknown } }[] };
  return factors.map(({ kind }) => JSON.stringify(kind.webauthnCredential) ?? "");
}
