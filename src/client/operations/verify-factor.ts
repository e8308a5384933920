import type { ResponseOf } from "../../protocol/operations.ts";
import { paths } from "../../protocol/paths.ts";
import type { Context } from "../context.ts";
import type { MainFactor } from "../factors/main-factor.ts";
import { mainProof, readWithProof } from "../proof.ts";
import type { CallOptions } from "../transport/connection.ts";

export function verifyFactor(
  context: Context,
  main: MainFactor,
  options: CallOptions = {},
): Promise<{ readonly backupId: string }> {
  return readWithProof<ResponseOf<"verifyFactor">>(
    context,
    main,
    () => mainProof(context, "verify-factor", main, {}, options),
    (proof) => ({ path: paths.verifyFactor, body: proof, expects: { backupId: "string" }, attested: true }),
    options,
  );
}
