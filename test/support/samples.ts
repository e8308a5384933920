/** The samples of the API reference, as the page loads them. */
import { join } from "node:path";
import { withSamples } from "../../src/http/reference/samples/samples.ts";

interface Operation {
  readonly operationId: string;
  readonly "x-codeSamples": readonly {
    readonly lang: string;
    readonly label: string;
    readonly source: string;
  }[];
}

export interface OperationSamples {
  readonly operationId: string;
  readonly method: string;
  readonly path: string;
  /** The sources by the labels of their languages, in the order of the page. */
  readonly sources: Readonly<Record<string, string>>;
}

const FILE = join(import.meta.dir, "../../src/http/reference/openapi.json");

export async function operationSamples(): Promise<readonly OperationSamples[]> {
  const { paths }: { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> } =
    withSamples(await Bun.file(FILE).json());
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      operationId: operation.operationId,
      method: method.toUpperCase(),
      path,
      sources: Object.fromEntries(operation["x-codeSamples"].map(({ label, source }) => [label, source])),
    })),
  );
}
