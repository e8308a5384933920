/** The objects of a bucket with the installation's id and when it was last in service. */
import { GetObjectCommand, NoSuchKey, PutObjectCommand } from "@aws-sdk/client-s3";
import type { S3Sender } from "./clients.ts";
import { isPage } from "./object-response.ts";
import { TryAgain } from "./retry.ts";
import { statusOf } from "./sdk-error.ts";

/** No ciphertext has such a name. */
const INSTALLATION_KEY = "installation";
const LAST_SEEN_KEY = "last-seen";
const MAX_MARK_LENGTH = 100;
/** Milliseconds since the epoch; an empty text would be 0. */
const TIME = /^\d{1,15}$/;

/** Where an object is put, and how it is encrypted. */
export interface PutTarget {
  readonly Bucket: string;
  readonly ServerSideEncryption?: "aws:kms";
  readonly SSEKMSKeyId?: string;
}

/** @returns `null` when the bucket has no mark. */
export async function readInstallationId(
  client: S3Sender,
  bucket: string,
  abortSignal: AbortSignal,
): Promise<string | null> {
  const id = await readMark(client, bucket, INSTALLATION_KEY, abortSignal);
  if (id === "") throw new Error(`the object ${INSTALLATION_KEY} in the bucket ${bucket} is no mark`);
  return id;
}

/** Writes the mark unless the bucket has one. */
export async function putInstallationId(
  client: S3Sender,
  target: PutTarget,
  id: string,
  abortSignal: AbortSignal,
): Promise<void> {
  const command = new PutObjectCommand({
    ...target,
    Key: INSTALLATION_KEY,
    Body: id,
    ContentType: "text/plain",
    IfNoneMatch: "*",
  });
  try {
    await client.send(command, { abortSignal });
  } catch (error) {
    if (statusOf(error) !== 412) throw error; // written by another process, or by an attempt whose response was lost
  }
}

/** @returns `null` where there is no such object, or no time in it. */
export async function readLastSeenMs(
  client: S3Sender,
  bucket: string,
  abortSignal: AbortSignal,
): Promise<number | null> {
  const text = await readMark(client, bucket, LAST_SEEN_KEY, abortSignal);
  return text !== null && TIME.test(text) ? Number(text) : null;
}

export async function putLastSeen(
  client: S3Sender,
  target: PutTarget,
  nowMs: number,
  abortSignal: AbortSignal,
): Promise<void> {
  const command = new PutObjectCommand({
    ...target,
    Key: LAST_SEEN_KEY,
    Body: `${nowMs}`,
    ContentType: "text/plain",
  });
  await client.send(command, { abortSignal });
}

/** The text of a mark; `null` when there is none, empty when it is too long. */
async function readMark(
  client: S3Sender,
  bucket: string,
  key: string,
  abortSignal: AbortSignal,
): Promise<string | null> {
  try {
    const command = new GetObjectCommand({ Bucket: bucket, Key: key });
    const response = await client.send(command, { abortSignal });
    const { Body } = response;
    const text = (await Body?.transformToString())?.trim() ?? "";
    if (isPage(response)) throw new TryAgain("another server has responded");
    return text.length > MAX_MARK_LENGTH ? "" : text;
  } catch (error) {
    if (error instanceof NoSuchKey) return null;
    throw error;
  }
}
