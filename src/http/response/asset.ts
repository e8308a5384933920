import { promisify } from "node:util";
import { gunzip as gunzipWithCallback } from "node:zlib";
import { sha256 } from "../../crypto/encoding.ts";
import { acceptsGzip, gzip } from "./compression.ts";

const gunzip = promisify(gunzipWithCallback);

/** A file that stays the same while the process runs. It is kept compressed only: nearly every client takes it so. */
export interface Asset {
  readonly contentType: string;
  readonly gzipped: Uint8Array;
  /** Weak, since it is that of the compressed file and of the plain one (RFC 9110 §8.8.1). */
  readonly etag: string;
}

/** Compresses a text once, instead of for each response. */
export async function textAsset(text: string, contentType: string): Promise<Asset> {
  return gzippedAsset(await gzip(text), contentType);
}

export function gzippedAsset(gzipped: Uint8Array, contentType: string): Asset {
  return { contentType, gzipped, etag: `W/"${Buffer.from(sha256(gzipped)).toString("base64url")}"` };
}

/** An asset as a response: a cache may keep it, and asks each time whether it is still current (RFC 9111 §5.2.2.4). */
export async function assetResponse({ headers: requested }: Request, asset: Asset): Promise<Response> {
  const headers = { etag: asset.etag, "cache-control": "no-cache", vary: "accept-encoding" };
  if (hasEtag(requested.get("if-none-match"), asset.etag))
    return new Response(null, { status: 304, headers });
  const compressed = acceptsGzip(requested.get("accept-encoding"));
  const body = compressed ? asset.gzipped : await gunzip(asset.gzipped);
  return new Response(body, {
    headers: {
      ...headers,
      "content-type": asset.contentType,
      "content-length": String(body.byteLength), // the server would add it too late for metrics
      ...(compressed ? { "content-encoding": "gzip" } : {}),
    },
  });
}

/** RFC 9110 §13.1.2: the comparison is the weak one. */
function hasEtag(ifNoneMatch: string | null, etag: string): boolean {
  const opaque = (tag: string) => tag.trim().replace(/^W\//, "");
  return (ifNoneMatch ?? "").split(",").some((tag) => tag.trim() === "*" || opaque(tag) === opaque(etag));
}
