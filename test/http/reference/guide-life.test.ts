import { describe, expect, test } from "bun:test";
import { readChapter } from "../../../src/http/reference/guide/page.ts";
import {
  createChallenges,
  keypairChallenges,
  passkeyChallenges,
} from "../../../src/protocol/challenge-operations.ts";
import { operations } from "../../../src/protocol/operations.ts";

const CHAPTER = "life-of-a-backup.md";
const challenges = [
  ...[...Object.values(createChallenges), ...Object.values(keypairChallenges)],
  ...[...Object.values(passkeyChallenges), operations.addFactorChallenge],
];
const inCode = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);

describe("the guide on the life of a backup", () => {
  test("has every operation of an app, and every challenge", async () => {
    const named = new Set(inCode(await readChapter(CHAPTER)));
    const paths = [...Object.values(operations), ...challenges].map(({ path }) => path);
    const called = paths.filter((path) => path.startsWith("/v1/"));
    expect(called.filter((path) => !named.has(path))).toEqual([]);
  });

  test("says which challenges are about something", async () => {
    const [, table = ""] = /^\| challenge \| body \|\n(.*?)\n\n/ms.exec(await readChapter(CHAPTER)) ?? [];
    const rows = table.split("\n").slice(1);
    const listed = rows.flatMap((row) => {
      const [, paths = "", body = ""] = row.split("|");
      const members = inCode(body).filter((name) => name !== name.toUpperCase());
      return inCode(paths).map((path) => [path, members]);
    });
    const bound = challenges.map(({ path, request }) => [path, Object.keys(request.properties)] as const);
    expect(Object.fromEntries(listed)).toEqual(
      Object.fromEntries(bound.filter(([, members]) => members.length > 0)),
    );
  });
});
