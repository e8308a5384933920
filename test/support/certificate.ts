import { join } from "node:path";
import { OPENSSL, requireProgram } from "./system-packages.ts";

/** The files of a certificate that nobody else has signed, and of its key, in PEM. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

/** @param subject as openssl writes an alternative name, such as `IP:127.0.0.1`. */
export async function createCertificate(folder: string, subject = "DNS:localhost"): Promise<Certificate> {
  const files = { certificate: join(folder, "cert.pem"), key: join(folder, "cert.key") };
  const child = Bun.spawn(
    [
      ...[await requireProgram(OPENSSL), "req", "-x509", "-newkey", "ec", "-pkeyopt"],
      ...["ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=tests"],
      ...["-addext", `subjectAltName=${subject}`, "-out", files.certificate, "-keyout", files.key],
    ],
    { stdin: "ignore", stdout: "ignore", stderr: "pipe" },
  );
  const errors = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`openssl: ${errors}`);
  return files;
}
