import type { ResponseOf } from "../../protocol/operations.ts";
import { paths } from "../../protocol/paths.ts";
import { decodeBase64 } from "../base64.ts";
import type { Context } from "../context.ts";
import type { MainFactor } from "../factors/main-factor.ts";
import { mainProof, readWithProof } from "../proof.ts";
import type { CallOptions } from "../transport/connection.ts";
import type { Metadata } from "../wire.ts";

export interface RecoverOptions extends CallOptions {
  /** Recovers a version in place of the current content. */
  readonly versionId?: string;
}

export interface Recovered {
  /** The ciphertext. */
  readonly content: Uint8Array<ArrayBuffer>;
  /** Has the encrypted keys. */
  readonly metadata: Metadata;
  /** Lets this device join: see `addSyncFactor`. Valid for 15 minutes, once. */
  readonly syncFactorToken: string;
}

export async function retrieve(
  context: Context,
  main: MainFactor,
  { versionId, ...options }: RecoverOptions = {},
): Promise<Recovered> {
  const { backup, metadata, syncFactorToken } = await readWithProof<ResponseOf<"retrieve">>(
    context,
    main,
    () => mainProof(context, "retrieve", main, {}, options),
    (proof) => ({
      path: paths.retrieve,
      body: { ...proof, ...(versionId === undefined ? {} : { versionId }) },
      expects: { backup: "string", metadata: "object", syncFactorToken: "string" },
      attested: true,
      returnsContent: true,
    }),
    options,
  );
  return { content: decodeBase64(backup), metadata, syncFactorToken };
}
