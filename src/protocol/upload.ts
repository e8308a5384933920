import { type TSchema, Type } from "@sinclair/typebox";

/** The parts of a multipart upload. */
export function upload<T extends TSchema>(payload: T) {
  return Type.Object({
    payload,
    backup: Type.Unsafe<Uint8Array>({
      type: "string",
      format: "binary",
      description: "The ciphertext, 1 byte to 15 MiB.",
    }),
  });
}
