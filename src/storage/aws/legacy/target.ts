/** Writes the bucket and the table of the other service, in the layout that it reads. */
import { createHash } from "node:crypto";
import { ConditionalCheckFailedException, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import type { FactorRef } from "../../contract.ts";
import {
  type LegacyRow,
  type LegacyTarget,
  legacyCiphertextKey,
  legacyMetadataKey,
  legacyRowKey,
} from "../../legacy.ts";
import { AwsLegacySource, type LegacyLocation, type LegacyOptions } from "./source.ts";

export function openLegacyTarget(location: LegacyLocation, options: LegacyOptions): LegacyTarget {
  return new AwsLegacyTarget(location, options);
}

class AwsLegacyTarget extends AwsLegacySource implements LegacyTarget {
  putCiphertext(backupId: string, archiveId: string, content: Uint8Array): Promise<void> {
    return this.#put(legacyCiphertextKey(backupId, archiveId), content, "application/octet-stream");
  }

  putMetadata(backupId: string, metadata: string): Promise<void> {
    return this.#put(legacyMetadataKey(backupId), new TextEncoder().encode(metadata), "application/json");
  }

  async putRow(
    factor: FactorRef,
    { backupId, createdAtMs, lastUsedAt }: LegacyRow & { readonly createdAtMs: number },
  ): Promise<boolean> {
    const command = new PutItemCommand({
      TableName: this.location.table,
      Item: {
        PK: { S: legacyRowKey(factor) },
        BackupId: { S: backupId },
        CreatedAt: { N: `${createdAtMs}` },
        ...(lastUsedAt === null ? {} : { LastUsedAt: { N: `${lastUsedAt}` } }),
      },
      ConditionExpression: "attribute_not_exists(PK) OR BackupId = :backup",
      ExpressionAttributeValues: { ":backup": { S: backupId } },
    });
    return this.attempt("a row of the other service could not be written", async (abortSignal) => {
      try {
        await this.dynamoDb.send(command, { abortSignal });
        return true;
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return false;
        throw error;
      }
    });
  }

  async #put(key: string, content: Uint8Array, type: string): Promise<void> {
    const command = new PutObjectCommand({
      Bucket: this.location.bucket,
      Key: key,
      Body: content,
      ContentLength: content.length,
      ContentType: type,
      ChecksumSHA256: createHash("sha256").update(content).digest("base64"),
    });
    await this.attempt("an object of the other service could not be written", (abortSignal) =>
      this.s3.send(command, { abortSignal }),
    );
  }
}
