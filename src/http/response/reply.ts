import type { Static, TSchema } from "@sinclair/typebox";
import type { WireOperation } from "../../protocol/operation.ts";

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** What the handler of the operation `O` returns: the protocol's response, or nothing for a 204. */
export type Reply<O extends WireOperation> = Promise<
  O["response"] extends TSchema ? DeepReadonly<Static<O["response"]>> : void
>;
