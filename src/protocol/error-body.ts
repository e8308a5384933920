import { type ObjectOptions, type Static, type TSchema, Type } from "@sinclair/typebox";

/** The body of every error response. `code` is the schema of the possible codes. */
export function errorBody<T extends TSchema>(code: T, options: ObjectOptions = {}) {
  return Type.Object(
    {
      allowRetry: Type.Boolean({ description: "Whether repeating the identical request can succeed." }),
      error: Type.Object({
        code,
        message: Type.String({ description: "For humans; its wording may change." }),
      }),
    },
    options,
  );
}

/** Any error response: a client may receive codes that it does not know. */
export const ErrorBody = errorBody(Type.String());
export type ErrorBody = Static<typeof ErrorBody>;
