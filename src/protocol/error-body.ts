import { type ObjectOptions, type Static, type TSchema, Type } from "@sinclair/typebox";

/** The one shape of every error answer, with the codes that `code` allows. */
export function errorBody<T extends TSchema>(code: T, options: ObjectOptions = {}) {
  return Type.Object(
    {
      allowRetry: Type.Boolean({ description: "Whether repeating the identical request can succeed." }),
      error: Type.Object({
        code,
        message: Type.String({ description: "For people; its wording may change." }),
      }),
    },
    options,
  );
}

/** Any error answer: a client may meet codes that it does not know. */
export const ErrorBody = errorBody(Type.String());
export type ErrorBody = Static<typeof ErrorBody>;
