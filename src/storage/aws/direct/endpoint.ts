import {
  type EndpointParameterInstructionsSupplier,
  getEndpointFromInstructions,
  toEndpointV1,
} from "@smithy/core/endpoints";
import type { EndpointBearer } from "@smithy/types";
import type { SdkConfig } from "./sdk.ts";
import type { SigningScope } from "./signature.ts";

/** Where requests go, and how they are signed. */
export interface DirectEndpoint {
  /** The settings of the client with the address, as the serialisers take them. */
  readonly context: SdkConfig & EndpointBearer;
  readonly scope: SigningScope;
}

/** @returns `null` where a request takes more than a plain signature: a bucket of S3 Express has sessions. */
export type EndpointOf = (input: object, accountId: string | undefined) => Promise<DirectEndpoint | null>;

/**
 * Asks the rules of the SDK once for each bucket and account, where the SDK asks them for each request. Nothing else in a
 * request decides where it goes, as long as tables have names and not ARNs.
 *
 * @param instructions a command of the service, which says what the rules depend on.
 */
export function createEndpointOf(
  config: SdkConfig,
  instructions: EndpointParameterInstructionsSupplier,
): EndpointOf {
  const known = new Map<string, Promise<DirectEndpoint | null>>();
  return (input, accountId) => {
    const bucket = "Bucket" in input ? input.Bucket : undefined;
    const key = `${accountId} ${bucket}`;
    const resolved = known.get(key);
    if (resolved !== undefined) return resolved;
    const resolving = resolveEndpoint(config, instructions, bucket);
    known.set(key, resolving);
    resolving.catch(() => known.delete(key));
    return resolving;
  };
}

async function resolveEndpoint(
  config: SdkConfig,
  instructions: EndpointParameterInstructionsSupplier,
  bucket: unknown,
): Promise<DirectEndpoint | null> {
  const found = await getEndpointFromInstructions({ Bucket: bucket }, instructions, { ...config });
  const [scheme] = found.properties?.authSchemes ?? [];
  if (scheme !== undefined && scheme.name !== "sigv4") return null;
  if (config.signingEscapePath && found.url.pathname !== "/") return null; // would be encoded twice
  const address = toEndpointV1(found);
  return {
    context: { ...config, endpoint: async () => address },
    scope: {
      region: scheme?.signingRegion ?? (await config.region()),
      service: scheme?.signingName ?? config.defaultSigningName,
    },
  };
}
