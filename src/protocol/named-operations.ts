/** Every operation under the name that it has in the client, and which challenge is for which. */
import { createChallenges, keypairChallenges, passkeyChallenges } from "./challenge-operations.ts";
import type { WireOperation } from "./operation.ts";
import { operations } from "./operations.ts";

export interface NamedOperation {
  readonly name: string;
  readonly wire: WireOperation;
  /** The operations that issue its challenges. */
  readonly challenges: readonly string[];
  /** Of a challenge: the operation that takes its token. */
  readonly solvedIn: string | null;
}

const TABLES = [
  ["KeypairChallenge", { create: createChallenges.keypair, ...keypairChallenges }],
  ["PasskeyChallenge", { create: createChallenges.passkey, ...passkeyChallenges }],
] as const;

const issued = TABLES.flatMap(([suffix, table]) =>
  Object.entries(table).map(([key, wire]): NamedOperation => {
    const solvedIn = operationAt(`/v1/${key}`);
    return { name: `${solvedIn}${suffix}`, wire, challenges: [], solvedIn };
  }),
);

/** The challenges of an addition have a name of their own. */
const ADDITION: Readonly<Record<string, string>> = { addFactorChallenge: "addFactor" };

export const namedOperations: readonly NamedOperation[] = [
  ...Object.entries(operations).map(([name, wire]): NamedOperation => {
    const ofAddition = Object.keys(ADDITION).filter((challenge) => ADDITION[challenge] === name);
    const ofOthers = issued.filter(({ solvedIn }) => solvedIn === name).map((challenge) => challenge.name);
    return { name, wire, challenges: [...ofAddition, ...ofOthers], solvedIn: ADDITION[name] ?? null };
  }),
  ...issued,
];

function operationAt(path: string): string {
  const found = Object.entries(operations).find(
    ([, wire]) => wire.path === path || wire.path === `${path}/from-challenge`,
  );
  if (found === undefined) throw new Error(`No operation is at ${path}`);
  return found[0];
}
