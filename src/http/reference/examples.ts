import { allExamples } from "../../protocol/examples/all.ts";

/** As much of an OpenAPI document as has to do with examples. */
export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>>;
}

interface DescribedOperation {
  readonly requestBody?: Body;
  readonly responses: Readonly<Record<string, Body>>;
}

interface Body {
  readonly content?: Readonly<Record<string, { example?: unknown }>>;
}

/** Adds to each operation of a document the example of its request and its answer. */
export function addExamples({ paths }: OpenApiDocument): void {
  for (const { method, path, request, backup, status, answer } of allExamples) {
    const operation = paths[path]?.[method.toLowerCase()];
    if (request !== null) {
      const body: unknown = JSON.parse(request);
      setExample(operation?.requestBody, backup === undefined ? body : { payload: body, backup });
    }
    if (answer !== null) setExample(operation?.responses[status], JSON.parse(answer));
  }
}

function setExample(body: Body | undefined, example: unknown): void {
  for (const media of Object.values(body?.content ?? {})) media.example = example;
}
