/**
 * The mutants of a source file: copies with one small mistake each.
 *
 * A mutation that another one implies is left out. A test that needs both branches of a condition also notices that it is
 * negated, and one that needs both operands of `&&` notices `||`.
 */
import { type BinaryOperator, type Expression, type Node, parseSync, Visitor } from "oxc-parser";

export interface Mutant {
  /** The first line of what is replaced, from 1. */
  readonly line: number;
  readonly lastLine: number;
  /** What was done, and to which text: `without await: records.get(id)`. */
  readonly mutation: string;
  /** The whole file with the mistake. */
  readonly text: string;
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
  readonly mutation: string;
}

const BOUNDARIES: Partial<Record<BinaryOperator, string>> = { "<": "<=", "<=": "<", ">": ">=", ">=": ">" };
const OPPOSITES: Partial<Record<BinaryOperator, string>> = {
  ...{ "===": "!==", "!==": "===" },
  ...{ "+": "-", "-": "+", "*": "/", "/": "*", "%": "*" },
};
/** A text of several words is for people, and may change. */
const PROSE = /\S \S/;

/** Every mutant of this file that is still TypeScript, in the order of the file. */
export function mutantsOf(file: string, source: string): Mutant[] {
  const text = (from: Node) => source.slice(from.start, from.end);
  const lineAt = (offset: number) => source.slice(0, offset).split("\n").length;
  return editsOf(file, source, text)
    .sort((one, other) => one.start - other.start)
    .map(({ start, end, replacement, mutation }) => ({
      line: lineAt(start),
      lastLine: lineAt(end),
      mutation: mutation.replace(/\s+/g, " "),
      text: source.slice(0, start) + replacement + source.slice(end),
    }))
    .filter((mutant) => parseSync(file, mutant.text).errors.length === 0);
}

function editsOf(file: string, source: string, text: (from: Node) => string): Edit[] {
  const edits: Edit[] = [];
  /** Types and names have no behaviour. */
  const ignored: Node[] = [];
  /** Replaced by true and false where they decide, so not negated as well. */
  const decisions = new Set<Node>();

  const replace = (node: Node, replacement: string, mutation: string) => {
    edits.push({ start: node.start, end: node.end, replacement, mutation });
  };
  const decide = (test: Expression, values: readonly boolean[]) => {
    for (const value of values) replace(test, `${value}`, `${value} for: ${text(test)}`);
    addLeaves(test, decisions);
  };
  const ignore = (node: Node) => {
    ignored.push(node);
  };

  new Visitor({
    ImportDeclaration: ignore,
    ExportNamedDeclaration: ({ source: from }) => {
      if (from !== null) ignore(from);
    },
    TSTypeAnnotation: ignore,
    TSInterfaceDeclaration: ignore,
    TSTypeAliasDeclaration: ignore,
    TSTypeParameterInstantiation: ignore,
    TSAsExpression: ({ typeAnnotation }) => ignore(typeAnnotation),
    TSSatisfiesExpression: ({ typeAnnotation }) => ignore(typeAnnotation),
    Property: ({ key }) => {
      if (key.type === "Literal") ignore(key);
    },
    IfStatement: ({ test }) => decide(test, [true, false]),
    ConditionalExpression: ({ test }) => decide(test, [true, false]),
    WhileStatement: ({ test }) => decide(test, [false]),
    LogicalExpression: (node) => {
      replace(node, text(node.right), `without left of ${node.operator}: ${text(node)}`);
      replace(node, text(node.left), `without right of ${node.operator}: ${text(node)}`);
    },
    BinaryExpression: (node) => {
      const boundary = BOUNDARIES[node.operator];
      const opposite = decisions.has(node) ? undefined : OPPOSITES[node.operator];
      for (const operator of [boundary, opposite])
        if (operator !== undefined)
          replace(
            node,
            `${text(node.left)} ${operator} ${text(node.right)}`,
            `${operator} for ${node.operator}: ${text(node)}`,
          );
    },
    UnaryExpression: (node) => {
      if (node.operator === "!" && !decisions.has(node))
        replace(node, text(node.argument), `without !: ${text(node)}`);
    },
    ExpressionStatement: (node) => {
      if (node.directive === undefined || node.directive === null)
        replace(node, "{}", `removed: ${text(node)}`);
    },
    BlockStatement: ({ body }) => {
      const last = body.at(-1);
      // an exit that is alone in its block is the whole effect of the condition
      if (body.length > 1 && last?.type === "ThrowStatement") replace(last, "{}", `removed: ${text(last)}`);
    },
    Literal: (node) => {
      const { value } = node;
      if (typeof value === "boolean") replace(node, `${!value}`, `${!value} for: ${text(node)}`);
      if (typeof value === "number") replace(node, `${value + 1}`, `${value + 1} for: ${text(node)}`);
      if (typeof value === "string" && !PROSE.test(value)) {
        const other = value === "" ? "mutant" : "";
        replace(node, `"${other}"`, `"${other}" for: ${text(node)}`);
      }
    },
    ArrayExpression: ({ elements }) => {
      for (const [at, element] of elements.entries()) {
        const next = elements[at + 1];
        if (element !== null)
          edits.push({
            start: element.start,
            end: next?.start ?? element.end,
            replacement: "",
            mutation: `without element: ${text(element)}`,
          });
      }
    },
    AwaitExpression: (node) => replace(node, text(node.argument), `without await: ${text(node.argument)}`),
  }).visit(parseSync(file, source).program);

  return edits.filter(({ start, end }) => !ignored.some((node) => node.start <= start && end <= node.end));
}

function addLeaves(test: Expression, leaves: Set<Node>): void {
  if (test.type === "LogicalExpression") {
    addLeaves(test.left, leaves);
    addLeaves(test.right, leaves);
  } else if (test.type === "ParenthesizedExpression") addLeaves(test.expression, leaves);
  else leaves.add(test);
}
