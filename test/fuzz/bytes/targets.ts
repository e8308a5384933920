/** Every parser of foreign bytes. */
import { cborTarget } from "./cbor.ts";
import { clientBase64Target, clientDerTarget } from "./client-encodings.ts";
import { appChoiceTarget, appsFileTarget, configurationTarget } from "./configuration.ts";
import { ENCODINGS, encodingTarget } from "./encodings.ts";
import { itemsTarget } from "./items.ts";
import {
  activityTarget,
  bodyTarget,
  canonicalJsonTarget,
  credentialTarget,
  strictJsonTarget,
} from "./json.ts";
import { boundaryTarget, multipartTarget } from "./multipart.ts";
import { dynamoDbOutputTarget, s3OutputTarget } from "./outputs.ts";
import {
  assertionTarget,
  authenticatorDataTarget,
  clientDataTarget,
  coseKeyTarget,
  registrationTarget,
} from "./passkeys.ts";
import { addressTarget, clientAppTarget, pathTarget, traceparentTarget } from "./requests.ts";
import {
  p256PointTarget,
  p256SignatureTarget,
  proofTextTarget,
  secp256k1SignatureTarget,
} from "./signatures.ts";
import { dynamoDbTarget, packedVersionsTarget, s3Target } from "./stores.ts";
import type { Target } from "./target.ts";
import { attestationTokenTarget, challengeTokenTarget, idTokenTarget, keySetTarget } from "./tokens.ts";

type MakeTarget = () => Target | Promise<Target>;

export const TARGETS: readonly MakeTarget[] = [
  ...Object.entries(ENCODINGS).map(
    ([name, encoding]) =>
      () =>
        encodingTarget(name, encoding),
  ),
  cborTarget,
  coseKeyTarget,
  authenticatorDataTarget,
  clientDataTarget,
  registrationTarget,
  assertionTarget,
  p256SignatureTarget,
  secp256k1SignatureTarget,
  p256PointTarget,
  proofTextTarget,
  canonicalJsonTarget,
  bodyTarget,
  credentialTarget,
  activityTarget,
  strictJsonTarget,
  multipartTarget,
  boundaryTarget,
  challengeTokenTarget,
  idTokenTarget,
  attestationTokenTarget,
  keySetTarget,
  addressTarget,
  traceparentTarget,
  clientAppTarget,
  pathTarget,
  clientBase64Target,
  clientDerTarget,
  configurationTarget,
  appsFileTarget,
  appChoiceTarget,
  itemsTarget,
  dynamoDbOutputTarget,
  s3OutputTarget,
  packedVersionsTarget,
  dynamoDbTarget,
  s3Target,
];

export function allTargets(): Promise<readonly Target[]> {
  return Promise.all(TARGETS.map((make) => make()));
}
