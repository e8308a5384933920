/** Mutants that no test can notice, or that none has to: each with its reason. */
export interface Explanation {
  readonly file: string;
  /** The line where the mutation begins, without its indentation. */
  readonly line: string;
  /** As the command prints it. */
  readonly mutation: string;
  readonly reason: string;
}

export const EXPLAINED: readonly Explanation[] = [];
