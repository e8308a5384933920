export interface Explanation {
  /** The line where the mutation begins, without its indentation. */
  readonly line: string;
  /** As the command prints it. */
  readonly mutation: string;
  readonly reason: string;
}

/** By the path of the source file. */
export type Explanations = Readonly<Record<string, readonly Explanation[]>>;
