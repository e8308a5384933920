/** Every parser of foreign bytes. */
import type { Report } from "../../crash/report.ts";
import { cborTarget } from "./cbor.ts";
import { ENCODINGS, encodingTarget } from "./encodings.ts";
import { fuzzTarget, type TargetOptions } from "./fuzz-target.ts";
import {
  activityTarget,
  bodyTarget,
  canonicalJsonTarget,
  credentialTarget,
  strictJsonTarget,
} from "./json.ts";
import { boundaryTarget, multipartTarget } from "./multipart.ts";
import {
  assertionTarget,
  authenticatorDataTarget,
  clientDataTarget,
  coseKeyTarget,
  registrationTarget,
} from "./passkeys.ts";
import {
  p256PointTarget,
  p256SignatureTarget,
  proofTextTarget,
  secp256k1SignatureTarget,
} from "./signatures.ts";
import { dynamoDbTarget, packedVersionsTarget, s3Target } from "./stores.ts";
import type { Target } from "./target.ts";
import { attestationTokenTarget, challengeTokenTarget, idTokenTarget, keySetTarget } from "./tokens.ts";

export async function allTargets(): Promise<readonly Target[]> {
  return [
    ...Object.entries(ENCODINGS).map(([name, encoding]) => encodingTarget(name, encoding)),
    cborTarget(),
    coseKeyTarget(),
    authenticatorDataTarget(),
    clientDataTarget(),
    registrationTarget(),
    assertionTarget(),
    p256SignatureTarget(),
    secp256k1SignatureTarget(),
    p256PointTarget(),
    proofTextTarget(),
    canonicalJsonTarget(),
    bodyTarget(),
    credentialTarget(),
    activityTarget(),
    strictJsonTarget(),
    multipartTarget(),
    boundaryTarget(),
    await challengeTokenTarget(),
    idTokenTarget(),
    attestationTokenTarget(),
    keySetTarget(),
    packedVersionsTarget(),
    await dynamoDbTarget(),
    await s3Target(),
  ];
}

/** How many of a target's cases are run where each would take a request that is signed. */
const SHARE_OF_STORES = 50;

/** Runs each target; those that put a whole store between them and the parser have fewer cases. */
export async function fuzzBytes({ cases, seed }: TargetOptions): Promise<Report> {
  const reports: Report[] = [];
  const notes: Record<string, number> = {};
  for (const target of await allTargets()) {
    const count = target.isSlow ? Math.ceil(cases / SHARE_OF_STORES) : cases;
    const report = await fuzzTarget(target, { cases: count, seed });
    reports.push(report);
    notes[target.name] = report.cases;
  }
  return {
    cases: reports.reduce((sum, report) => sum + report.cases, 0),
    failures: reports.flatMap(({ failures }) => failures),
    notes: { targets: reports.length, ...notes },
  };
}
