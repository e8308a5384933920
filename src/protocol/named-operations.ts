/** Every operation under the name of the client's method, and which challenge is for which. */
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

/** Where the method of the client has another name than the operation here. */
const METHODS: Readonly<Record<string, string>> = {
  retrieve: "recover",
  verifyFactor: "verify",
  deleteFactor: "removeFactor",
  retrieveMetadata: "metadata",
  listEvents: "events",
  backupStatus: "status",
};

const methodOf = (operation: string) => METHODS[operation] ?? operation;

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
  ...Object.entries(operations).map(([operation, wire]): NamedOperation => {
    const name = methodOf(operation);
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
  return methodOf(found[0]);
}
