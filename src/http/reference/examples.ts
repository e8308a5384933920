import { allExamples } from "../../protocol/examples/all.ts";

/** The part of an OpenAPI document that has examples. */
export interface OpenApiDocument {
  readonly paths: Record<string, Record<string, { requestBody?: Body; responses: Record<string, Body> }>>;
}

interface Body {
  readonly content?: Record<string, { example?: unknown }>;
}

/** Adds to each operation of a document an example of its request and its response. */
export function addExamples({ paths }: OpenApiDocument): void {
  for (const { method, path, request, backup, status, response } of allExamples) {
    const operation = paths[path]?.[method.toLowerCase()];
    if (request !== null) {
      const body: unknown = JSON.parse(request);
      setExample(operation?.requestBody, backup === undefined ? body : { payload: body, backup });
    }
    if (response !== null) setExample(operation?.responses[status], JSON.parse(response));
  }
}

function setExample(body: Body | undefined, example: unknown): void {
  for (const media of Object.values(body?.content ?? {})) media.example = example;
}
