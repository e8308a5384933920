import type { Explanations } from "./explanations.ts";

export const BACKUPS: Explanations = {
  "src/backups/add-sync-factor.ts": [
    {
      line: "if (located.consumed || issued?.redeemed) throw alreadyUsed();",
      mutation: "without left of ||: located.consumed || issued?.redeemed",
      reason: "It saves calls: the commit finds the nonce, and every failure of a replay is reported as one.",
    },
    {
      line: "if (located.consumed || issued?.redeemed) throw alreadyUsed();",
      mutation: "without right of ||: located.consumed || issued?.redeemed",
      reason: "It saves calls: the commit finds the token redeemed, and so does every other refusal.",
    },
    {
      line: "if (located.consumed || issued?.redeemed) throw alreadyUsed();",
      mutation: "false for: located.consumed || issued?.redeemed",
      reason: "As its two sides.",
    },
    {
      line: "if (located.backupId !== null) throw factorExists();",
      mutation: "false for: located.backupId !== null",
      reason: "It saves the commit, which finds the factor in use.",
    },
  ],
  "src/backups/adoption/adopt-backup.ts": [
    {
      line: 'override name = "ChangedMeanwhile";',
      mutation: '"" for: "ChangedMeanwhile"',
      reason: "A name for people, in the log.",
    },
  ],
  "src/backups/adoption/adoption.ts": [
    {
      line: "const stored = (attempt === 1 ? before : null) ?? (await records.read(backupId));",
      mutation: "without left of ??: (attempt === 1 ? before : null) ?? (await records.read(backupId))",
      reason: "It saves a call: what is read once more is the same or newer.",
    },
    {
      line: "const stored = (attempt === 1 ? before : null) ?? (await records.read(backupId));",
      mutation: "false for: attempt === 1",
      reason: "It saves a call: what is read once more is the same or newer.",
    },
    {
      line: "const LOOKUPS = { permits: 64, maxPerKey: 24, maxWaitingPerKey: 256, maxWaitMs: 5_000 };",
      mutation: "5001 for: 5_000",
      reason: "Some seconds, of which none is promised.",
    },
    {
      line: "const TRANSFERS = { permits: 16, maxPerKey: 8, maxWaitingPerKey: 64, maxWaitMs: 12_000 };",
      mutation: "17 for: 16",
      reason: "Some bound on memory and waiting, of which none is promised.",
    },
    {
      line: "const TRANSFERS = { permits: 16, maxPerKey: 8, maxWaitingPerKey: 64, maxWaitMs: 12_000 };",
      mutation: "9 for: 8",
      reason: "Some bound on memory and waiting, of which none is promised.",
    },
    {
      line: "const TRANSFERS = { permits: 16, maxPerKey: 8, maxWaitingPerKey: 64, maxWaitMs: 12_000 };",
      mutation: "65 for: 64",
      reason: "Some bound on memory and waiting, of which none is promised.",
    },
    {
      line: "const TRANSFERS = { permits: 16, maxPerKey: 8, maxWaitingPerKey: 64, maxWaitMs: 12_000 };",
      mutation: "12001 for: 12_000",
      reason: "Some bound on memory and waiting, of which none is promised.",
    },
    {
      line: 'const client = () => currentRequest.getStore()?.client ?? "";',
      mutation: '"mutant" for: ""',
      reason: "What no request asks for shares one name, whatever it is.",
    },
  ],
  "src/backups/change.ts": [
    {
      line: "const RELEASABLE_MS = 8_000;",
      mutation: "8001 for: 8_000",
      reason: "Some seconds, of which none is promised.",
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
  "src/backups/find-deleted-passkey.ts": [
    {
      line: "const found = foundPasskey(factor, backup, false);",
      mutation: "true for: false",
      reason: "An undelete learns from its commit whether a nonce was consumed.",
    },
  ],
  "src/backups/legacy/from-legacy.ts": [
    {
      line: 'maskedEmail: masked?.includes("***") ? masked : maskedEmail(masked || email || ""),',
      mutation: '"mutant" for: ""',
      reason: "What is no address has no mask.",
    },
  ],
  "src/backups/legacy/metadata.ts": [
    {
      line: 'this.name = "LegacyProblem";',
      mutation: '"" for: "LegacyProblem"',
      reason: "A name for people, in the log.",
    },
    {
      line: 'this.name = "LegacyProblem";',
      mutation: 'removed: this.name = "LegacyProblem";',
      reason: "A name for people, in the log.",
    },
  ],
  "src/backups/legacy/strict-json.ts": [
    {
      line: "let isNameNext = false;",
      mutation: "true for: false",
      reason: "Nothing is around the first character.",
    },
    {
      line: "for (let at = 0; at < text.length; at++)",
      mutation: "<= for <: at < text.length",
      reason: "Behind the end is no character; of a text that is JSON every string ends.",
    },
    {
      line: 'for (; at < text.length && text[at] !== \'"\'; at++) if (text[at] === "\\\\") at += 1;',
      mutation: "<= for <: at < text.length",
      reason: "Behind the end is no character; of a text that is JSON every string ends.",
    },
    {
      line: 'for (; at < text.length && text[at] !== \'"\'; at++) if (text[at] === "\\\\") at += 1;',
      mutation: "without left of &&: at < text.length && text[at] !== '\"'",
      reason: "Of a text that is JSON every string ends.",
    },
  ],
  "src/backups/legacy/written-forms.ts": [
    {
      line: 'const HASH = new RegExp(ManifestHash.pattern ?? "");',
      mutation: 'without left of ??: ManifestHash.pattern ?? ""',
      reason: "The schema has a pattern; the types do not know that.",
    },
    {
      line: 'const HASH = new RegExp(ManifestHash.pattern ?? "");',
      mutation: '"mutant" for: ""',
      reason: "The schema has a pattern; the types do not know that.",
    },
    {
      line: 'const [, date, clock, zone = ""] = RFC_3339.exec(time) ?? [];',
      mutation: '"mutant" for: ""',
      reason: "Without a zone there is no date either, and both are refused.",
    },
  ],
  "src/backups/reset.ts": [
    {
      line: "void changes.discard(...collect.blobs);",
      mutation: "removed: void changes.discard(...collect.blobs);",
      reason: "The collection deletes them as well, a little later.",
    },
  ],
  "src/backups/restore-version.ts": [
    {
      line: "requireVersion(first, versionId);",
      mutation: "removed: requireVersion(first, versionId);",
      reason: "The decision requires it again; here it is refused before anything is decided.",
    },
  ],
  "src/backups/schema-version.ts": [
    {
      line: 'this.name = "NewerSchema";',
      mutation: 'removed: this.name = "NewerSchema";',
      reason: "A name for people, in the log.",
    },
    {
      line: 'this.name = "NewerSchema";',
      mutation: '"" for: "NewerSchema"',
      reason: "A name for people, in the log.",
    },
  ],
  "src/backups/sync.ts": [
    {
      line: 'if (outcome === "committed") dropped = droppedBlobs(current, contents);',
      mutation: 'true for: outcome === "committed"',
      reason: "After any other outcome an error is thrown, and nothing is deleted.",
    },
  ],
  "src/backups/verify-factor.ts": [
    {
      line: "if (by.passkey !== undefined) {",
      mutation: "false for: by.passkey !== undefined",
      reason: "The same response after one call more, which the limit of round trips allows.",
    },
  ],
  "src/backups/view.ts": [
    {
      line: "...(encryptionPublicKey === undefined ? {} : { encryptionPublicKey }),",
      mutation: "false for: encryptionPublicKey === undefined",
      reason: "JSON has no member without a value; the types refuse one.",
    },
    {
      line: "return { ...exportFactor(factor), ...(lastUsedAt === undefined ? {} : { lastUsedAt }) };",
      mutation: "false for: lastUsedAt === undefined",
      reason: "JSON has no member without a value; the types refuse one.",
    },
  ],
  "src/backups/legacy/import-mark.ts": [
    {
      line: "export const UNCHANGED_HERE_MS = 0;",
      mutation: "1 for: 0",
      reason: "Any time long before this service changes something; readers have it from here.",
    },
  ],
};
