import type { Explanations } from "./explanations.ts";

export const BACKUPS: Explanations = {
  "src/backups/add-factor.ts": [
    {
      line: "factorId: (listedFactor(after, ref) ?? factor).id,",
      mutation: "without right of ??: listedFactor(after, ref) ?? factor",
      reason: "The metadata lists the factor now; the types do not know that.",
    },
  ],
  "src/backups/add-sync-factor.ts": [
    {
      line: "if (located.consumed || issued?.redeemed) throw alreadyUsed();",
      mutation: "without left of ||: located.consumed || issued?.redeemed",
      reason: "It saves calls: the commit finds the nonce, and every failure of a replay is reported as one.",
    },
    {
      line: "if (located.backupId !== null) throw factorExists();",
      mutation: "false for: located.backupId !== null",
      reason: "It saves the commit, which finds the factor in use.",
    },
    {
      line: 'return recovered === undefined ? null : eventFactor("MAIN", recovered);',
      mutation: "false for: recovered === undefined",
      reason: "Without that factor the token is void, which is decided first.",
    },
  ],
  "src/backups/change.ts": [
    {
      line: "const RELEASABLE_MS = 8_000;",
      mutation: "8001 for: 8_000",
      reason: "Some seconds, of which none is promised.",
    },
    {
      line: "const events = logged?.events ?? [];",
      mutation: "without right of ??: logged?.events ?? []",
      reason: "No events are the default of a decision.",
    },
    {
      line: 'const consumption = consumed.status === "fulfilled" ? consumed.value : undefined;',
      mutation: 'true for: consumed.status === "fulfilled"',
      reason: "A rejected result has no value.",
    },
  ],
  "src/backups/delete-backup.ts": [
    {
      line: "const isRepetition = isOnNoBackup(error) && (await hasDeleted(by.factor));",
      mutation: "without left of &&: isOnNoBackup(error) && (await hasDeleted(by.factor))",
      reason: "A factor that is on no backup gets no other error, but for an outage that is over.",
    },
    {
      line: "const { id } = listedFactor(current.metadata, by.factor) ?? fail(unauthorized());",
      mutation: "without right of ??: listedFactor(current.metadata, by.factor) ?? fail(unauthorized())",
      reason: "A factor that acts is listed; the types do not know that.",
    },
  ],
  "src/backups/delete-factor.ts": [
    {
      line: "const { id } = listedFactor(metadata, by.factor) ?? fail(unauthorized());",
      mutation: "without right of ??: listedFactor(metadata, by.factor) ?? fail(unauthorized())",
      reason: "A factor that acts is listed; the types do not know that.",
    },
  ],
  "src/backups/events.ts": [
    {
      line: "actor: actor && { ...actor },",
      mutation: "without right of &&: actor && { ...actor }",
      reason: "The types ask for the copy, which says the same.",
    },
    {
      line: "subject: subject && { ...subject },",
      mutation: "without right of &&: subject && { ...subject }",
      reason: "The types ask for the copy, which says the same.",
    },
    {
      line: "client: client && { ...client },",
      mutation: "without right of &&: client && { ...client }",
      reason: "The types ask for the copy, which says the same.",
    },
  ],
  "src/backups/passkey-counter.ts": [
    {
      line: 'if (factor.kind.kind !== "PASSKEY" || factorRef("MAIN", factor).key !== by.factor.key) return factor;',
      mutation:
        'without left of ||: factor.kind.kind !== "PASSKEY" || factorRef("MAIN", factor).key !== by.factor.key',
      reason: "A factor with the key of a passkey is one; the types do not know that.",
    },
  ],
  "src/backups/reset.ts": [
    {
      line: "void changes.discard(...collect.blobs);",
      mutation: "removed: void changes.discard(...collect.blobs);",
      reason: "The collection deletes them as well, a little later.",
    },
    {
      line: 'expect: "absent",',
      mutation: '"" for: "absent"',
      reason:
        "The local driver takes it for the revision of a record that is not there, which is the same; the types refuse it.",
    },
    {
      line: 'expect: backup ?? "absent",',
      mutation: '"" for: "absent"',
      reason:
        "The local driver takes it for the revision of a record that is not there, which is the same; the types refuse it.",
    },
    {
      line: 'if (outcome !== "committed") throw errorOf(outcome === "exists" ? "revision" : outcome);',
      mutation: 'true for: outcome === "exists"',
      reason:
        "A consumed nonce is reported as such after any error, and a state that is not kept has the same error.",
    },
    {
      line: "next: backup && { ...backup, metadata: storedMetadata(backup.metadata) },",
      mutation: "without right of &&: backup && { ...backup, metadata: storedMetadata(backup.metadata) }",
      reason: "As long as no step changes the format of metadata, they are stored as they are read.",
    },
  ],
  "src/backups/restore-version.ts": [
    {
      line: "requireVersion(first, versionId);",
      mutation: "removed: requireVersion(first, versionId);",
      reason: "The decision requires it again; here it is refused before anything is decided.",
    },
  ],
  "src/backups/retrieve.ts": [
    {
      line: "holder: (listedFactor(backup.metadata, by.factor) ?? fail(unauthorized())).id,",
      mutation: "without right of ??: listedFactor(backup.metadata, by.factor) ?? fail(unauthorized())",
      reason: "A factor that acts is listed; the types do not know that.",
    },
  ],
  "src/backups/rules.ts": [
    {
      line: 'const { key } = factorRef("SYNC", factor);',
      mutation: '"" for: "SYNC"',
      reason: "The key is the same in each scope, and only the key is used.",
    },
    {
      line: 'if (lists(metadata, { scope: "SYNC", key }) || lists(metadata, { scope: "MAIN", key }))',
      mutation: '"" for: "SYNC"',
      reason: "There are two scopes, and the types allow no third.",
    },
    {
      line: "mainFactorRemovedAtMs !== undefined &&",
      mutation:
        "without left of &&: mainFactorRemovedAtMs !== undefined && mainFactorRemovedAtMs > challengedAtMs",
      reason: "Nothing is above a number that is not there; the types do not know that.",
    },
  ],
  "src/backups/sync.ts": [
    {
      line: 'if (outcome === "committed") dropped = droppedBlobs(current, contents);',
      mutation: 'true for: outcome === "committed"',
      reason: "After any other outcome an error is thrown, and nothing is deleted.",
    },
  ],
};
