/** The samples of the page: for each operation, its example in the languages of apps. */
import { allExamples } from "../../../protocol/examples/all.ts";
import { type NamedOperation, namedOperations } from "../../../protocol/named-operations.ts";
import { type Call, SAMPLE_URL } from "./call.ts";
import { curl } from "./curl.ts";
import { kotlin } from "./kotlin.ts";
import { python } from "./python.ts";
import { swift } from "./swift.ts";
import { typescript } from "./typescript.ts";

interface Document {
  readonly paths: Readonly<Record<string, object>>;
}

interface Sample {
  readonly lang: string;
  readonly label: string;
  readonly source: string;
}

const LANGUAGES = [
  { lang: "shell", label: "curl", write: curl },
  { lang: "typescript", label: "TypeScript", write: typescript },
  { lang: "swift", label: "Swift", write: swift },
  { lang: "kotlin", label: "Kotlin", write: kotlin },
  { lang: "python", label: "Python", write: python },
] as const;

/** A copy of the document with samples. Only the page loads them: they are of no use to a generator of clients. */
export function withSamples<Shown extends Document>(document: Shown): Shown {
  const paths = Object.entries(document.paths).map(([path, methods]) => [
    path,
    Object.fromEntries(
      Object.entries(methods).map(([method, operation]) => [
        method,
        { ...operation, "x-codeSamples": samplesAt(method.toUpperCase(), path) },
      ]),
    ),
  ]);
  return { ...document, paths: Object.fromEntries(paths) };
}

function samplesAt(method: string, path: string): Sample[] {
  const operation = namedOperations.find(({ wire }) => wire.method === method && wire.path === path);
  if (operation === undefined) throw new Error(`No operation is at ${method} ${path}`);
  const call = exampleCall(operation);
  return LANGUAGES.map(({ lang, label, write }) => ({ lang, label, source: write(call).trim() }));
}

function exampleCall(operation: NamedOperation): Call {
  const { method, path } = operation.wire;
  const example = allExamples.find((one) => one.method === method && one.path === path);
  if (example === undefined) throw new Error(`${method} ${path} has no example`);
  return {
    operation,
    method,
    url: SAMPLE_URL + path,
    json: example.request,
    isUpload: example.backup !== undefined,
  };
}
