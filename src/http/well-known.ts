/**
 * The documents by which phones and browsers verify that apps and sites belong to the relying party. They ask its own
 * domain, so they reach this service where it is the host of that domain, or where that host passes the paths on.
 */
import { Elysia } from "elysia";
import type { Services } from "../services.ts";
import { compressible } from "./response/compression.ts";

const hidden = { detail: { hide: true } };

/** Serves each document that the configuration has something for. */
export function wellKnown({ android, apple, relatedOrigins }: Services["config"]["appLinks"]) {
  const router = new Elysia({ name: "well-known" });
  const serve = (name: string, document: unknown) => {
    const text = JSON.stringify(document);
    router.get(
      `/.well-known/${name}`,
      ({ request }) => compressible(request, text, "application/json", 200),
      hidden,
    );
  };
  // Digital Asset Links: https://developers.google.com/digital-asset-links/v1/getting-started
  if (android.length > 0)
    serve(
      "assetlinks.json",
      android.map(({ packageName, fingerprints }) => ({
        relation: [
          "delegate_permission/common.handle_all_urls",
          "delegate_permission/common.get_login_creds",
        ],
        target: {
          namespace: "android_app",
          package_name: packageName,
          sha256_cert_fingerprints: fingerprints,
        },
      })),
    );
  if (apple.length > 0) serve("apple-app-site-association", { webcredentials: { apps: apple } });
  // WebAuthn L3 §5.11
  if (relatedOrigins.length > 0) serve("webauthn", { origins: relatedOrigins });
  return router;
}
